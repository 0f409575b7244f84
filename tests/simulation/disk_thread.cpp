// The disk thread of the simulated world, in place of common/disk_thread.cpp: there is one thread,
// and others have their turn before the work is done and after it.
#include "common/disk_thread.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace trimtab::detail {

Task<void> run_on_disk_thread(std::shared_ptr<std::function<void()>> work) {
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
  (*work)();
  co_await asio::post(executor, asio::use_awaitable);
}

}  // namespace trimtab::detail
