#include "common/async.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <exception>
#include <utility>

#include "common/log.hpp"
#include "common/task_scope.hpp"

namespace trimtab {

using boost::system::error_code;

Task<Result<void>> sleep_for(SteadyClock::duration duration) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, duration);
  error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return Error{Errc::cancelled, "waiting was cancelled", {}};
  co_return Result<void>();
}

WakeEvent::WakeEvent(asio::any_io_executor executor) : timer_(std::move(executor)) {}

void WakeEvent::notify() {
  notified_ = true;
  timer_.cancel();
}

Task<bool> WakeEvent::wait_until(SteadyClock::time_point deadline) {
  if (!notified_) {
    timer_.expires_at(deadline);
    error_code ec;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
  co_return std::exchange(notified_, false);
}

TaskGroup::TaskGroup(asio::any_io_executor executor)
    : executor_(executor), empty_(executor, SteadyClock::time_point::max()) {}

TaskGroup::~TaskGroup() {
  if (members_.empty()) return;
  // Something has already failed here, so nothing that allocates or could throw.
  std::fprintf(stderr, "a group of tasks was destroyed while \"%s\" of it still ran\n",
               members_.front().name.c_str());
  std::terminate();
}

void TaskGroup::spawn(std::string name, Task<void> task) {
  auto member = members_.emplace(members_.end());
  member->name = std::move(name);
  auto done = [this, member](const std::exception_ptr& failure) {
    const std::string who = member->name;
    const auto leave = [this, member] {
      members_.erase(member);
      if (members_.empty()) empty_.cancel();
    };
    // A cancellation posted from outside of the loop may still refer to the member's signal.
    if (member->cancelled) {
      asio::post(executor_, leave);
    } else {
      leave();
    }
    try {
      rethrow_defect(failure);
    } catch (const std::exception& error) {
      spdlog::critical("{} was terminated by an exception: {}", who, error.what());
      throw;
    }
  };
  asio::co_spawn(executor_, run(&*member, std::move(task)),
                 asio::bind_cancellation_slot(member->signal.slot(), std::move(done)));
}

// Needed because Asio 1.28 never reports the end of a coroutine that was cancelled before it first
// ran.
Task<void> TaskGroup::run(Member* member, Task<void> task) {
  member->started = true;
  if (member->cancelled) co_return;
  co_await std::move(task);
}

void TaskGroup::cancel() {
  // Asio posts the handlers of cancelled operations, so no member is erased during this loop.
  for (auto next = members_.begin(); next != members_.end();) {
    auto current = next++;
    current->cancelled = true;
    if (current->started) current->signal.emit(asio::cancellation_type::terminal);
  }
}

Task<void> TaskGroup::idle() {
  while (!members_.empty()) {
    error_code ec;
    co_await empty_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    empty_.expires_at(SteadyClock::time_point::max());
  }
}

namespace detail {

Task<bool> race_with_deadline(SteadyClock::time_point deadline, Task<void> task) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, deadline);
  auto work = asio::co_spawn(executor, std::move(task), asio::deferred);
  auto alarm = timer.async_wait(asio::deferred);
  auto group = asio::experimental::make_parallel_group(std::move(work), std::move(alarm));
  auto wait = group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  const auto outcome = co_await std::move(wait);
  const bool alarm_first = std::get<0>(outcome)[0] == 1;
  const std::exception_ptr& failure = std::get<1>(outcome);
  const error_code& alarm_error = std::get<2>(outcome);
  // If the timer itself was cancelled first, this coroutine was cancelled.
  const bool in_time = !alarm_first || alarm_error;
  rethrow_defect(failure);
  co_return in_time;
}

}  // namespace detail

}  // namespace trimtab
