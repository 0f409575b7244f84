#include "common/task_scope.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

namespace trimtab {

void rethrow_defect(const std::exception_ptr& failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    // After a terminal cancellation every further co_await of Asio throws this.
    if (error.code() != asio::error::operation_aborted) throw;
  }
}

Task<void> with_cleanup(Task<void> body, std::function<Task<void>()> cleanup) {
  std::exception_ptr failure;
  try {
    co_await std::move(body);
  } catch (...) {
    failure = std::current_exception();
  }
  // The setting also applies to all callers, which the next suspension must end, so it is restored.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  auto cleaning = cleanup();
  co_await std::move(cleaning);
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (failure) std::rethrow_exception(failure);
}

Task<void> with_task_group(std::function<Task<void>(TaskGroup&)> body) {
  const auto executor = co_await asio::this_coro::executor;
  TaskGroup group(executor);
  auto running = body(group);
  const std::function<Task<void>()> cleanup = [&group] {
    group.cancel();
    return group.idle();
  };
  auto whole = with_cleanup(std::move(running), cleanup);
  co_await std::move(whole);
}

}  // namespace trimtab
