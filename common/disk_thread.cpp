#include "common/disk_thread.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace trimtab::detail {
namespace {

// Started on first use.
asio::thread_pool& disk_thread() {
  static asio::thread_pool thread(1);
  return thread;
}

}  // namespace

Task<void> run_on_disk_thread(std::shared_ptr<std::function<void()>> work) {
  const auto executor = co_await asio::this_coro::executor;
  auto start = [executor, work](auto handler) {
    auto run = [work, handler = std::move(handler),
                loop = asio::make_work_guard(executor)]() mutable {
      (*work)();
      asio::post(loop.get_executor(), std::move(handler));
    };
    asio::post(disk_thread(), std::move(run));
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(start),
                                                                       asio::use_awaitable);
}

}  // namespace trimtab::detail
