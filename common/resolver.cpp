#include "common/resolver.hpp"

#include <fmt/core.h>
#include <netdb.h>
#include <pthread.h>

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace trimtab {
namespace {

using boost::system::error_code;
using Addresses = std::vector<asio::ip::tcp::endpoint>;

constexpr std::size_t max_threads = 16;

Error not_found(const std::string& host, const std::string& why) {
  return Error{Errc::unavailable, fmt::format("cannot resolve {}: {}", host, why), {}};
}

// With port 0. Blocks.
Result<Addresses> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failed == EAI_SYSTEM) return not_found(host, std::generic_category().message(errno));
  if (failed != 0) return not_found(host, ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    asio::ip::tcp::endpoint endpoint;
    if (one->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
    endpoint.resize(one->ai_addrlen);
    addresses.push_back(endpoint);
  }
  if (addresses.empty()) return not_found(host, "it has none");
  return addresses;
}

// What a thread needs of the loop that asked, which may be gone when the thread is done.
struct Link {
  std::mutex mutex;
  bool is_cut = false;
};

// A look-up, used by the loop's thread alone.
struct LookUp {
  explicit LookUp(const asio::any_io_executor& executor)
      : done(executor, SteadyClock::time_point::max()) {}
  std::optional<Result<Addresses>> result;
  asio::steady_timer done;
};

// All look-ups of a loop.
class LookUps final : public asio::execution_context::service {
 public:
  using key_type = LookUps;
  inline static asio::execution_context::id id;  // NOLINT: Asio's name and form

  explicit LookUps(asio::execution_context& context)
      : asio::execution_context::service(context), link_(std::make_shared<Link>()) {}

  // Joins the look-up of this name that is under way, if there is one.
  std::shared_ptr<LookUp> start(const std::string& host, const asio::any_io_executor& executor) {
    std::shared_ptr<LookUp>& look_up = pending_[host];
    if (look_up) return look_up;
    look_up = std::make_shared<LookUp>(executor);
    std::shared_ptr<LookUp> started = look_up;
    waiting_.push_back(host);
    start_threads(executor);
    return started;
  }

 private:
  void shutdown() noexcept override {
    const std::lock_guard lock(link_->mutex);
    link_->is_cut = true;
    pending_.clear();
  }

  void start_threads(const asio::any_io_executor& executor) {
    while (threads_ < max_threads && !waiting_.empty()) {
      std::string host = std::move(waiting_.front());
      waiting_.pop_front();
      ++threads_;
      start_thread(std::move(host), executor);
    }
  }

  void start_thread(std::string host, const asio::any_io_executor& executor) {
    // The loop's thread handles signals.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      std::thread([this, host, executor, link = link_] {
        Result<Addresses> result = look_up(host);
        const std::lock_guard lock(link->mutex);
        if (link->is_cut) return;
        asio::post(executor, [this, host, executor, result = std::move(result)]() mutable {
          finish(host, std::move(result), executor);
        });
      }).detach();
    } catch (const std::system_error& error) {
      const Error failed = not_found(host, error.code().message());
      asio::post(executor, [this, host, executor, failed] { finish(host, failed, executor); });
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void finish(const std::string& host, Result<Addresses> result,
              const asio::any_io_executor& executor) {
    --threads_;
    const auto found = pending_.find(host);
    found->second->result = std::move(result);
    found->second->done.cancel();
    pending_.erase(found);
    start_threads(executor);
  }

  std::shared_ptr<Link> link_;
  std::map<std::string, std::shared_ptr<LookUp>> pending_;  // waiting or with a thread
  std::deque<std::string> waiting_;
  std::size_t threads_ = 0;
};

}  // namespace

Task<Result<Addresses>> resolve(std::string host, std::uint16_t port) {
  error_code ec;
  const asio::ip::address address = asio::ip::make_address(host, ec);
  if (!ec) co_return Addresses(1, asio::ip::tcp::endpoint(address, port));
  const auto executor = co_await asio::this_coro::executor;
  asio::execution_context& context = asio::query(executor, asio::execution::context);
  const std::shared_ptr<LookUp> look_up = asio::use_service<LookUps>(context).start(host, executor);
  while (!look_up->result) {
    co_await look_up->done.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) {
      co_return Error{
          Errc::cancelled, fmt::format("finding the address of {} was cancelled", host), {}};
    }
  }
  if (!*look_up->result) co_return look_up->result->error();
  Addresses addresses = **look_up->result;
  for (asio::ip::tcp::endpoint& endpoint : addresses) endpoint.port(port);
  co_return addresses;
}

}  // namespace trimtab
