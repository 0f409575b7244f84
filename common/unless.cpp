#include "common/unless.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "common/task_scope.hpp"

namespace trimtab::detail {
namespace {

Task<void> wait_until_unwanted(WakeEvent* changed, std::function<bool()> unwanted) {
  while (!unwanted()) co_await changed->wait();
}

}  // namespace

Task<bool> race_with_change(WakeEvent* changed, std::function<bool()> unwanted, Task<void> task) {
  const auto executor = co_await asio::this_coro::executor;
  auto watch = wait_until_unwanted(changed, std::move(unwanted));
  auto work = asio::co_spawn(executor, std::move(task), asio::deferred);
  auto watching = asio::co_spawn(executor, std::move(watch), asio::deferred);
  auto group = asio::experimental::make_parallel_group(std::move(work), std::move(watching));
  auto wait = group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  const auto outcome = co_await std::move(wait);
  const bool work_first = std::get<0>(outcome)[0] == 0;
  rethrow_defect(std::get<1>(outcome));
  rethrow_defect(std::get<2>(outcome));
  co_return work_first;
}

}  // namespace trimtab::detail
