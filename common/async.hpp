// Coroutines on one event loop thread: tasks, deadlines, wake-ups, task groups. Nothing here is
// thread-safe.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "common/result.hpp"

namespace trimtab {

namespace asio = boost::asio;

template <class T>
using Task = asio::awaitable<T>;

using SteadyClock = std::chrono::steady_clock;

// Completes after `duration`, or with Errc::cancelled.
Task<Result<void>> sleep_for(SteadyClock::duration duration);

// A flag to wait for. A notify() before wait() is not lost; several notify() cause one wake-up. For
// one waiter at a time.
class WakeEvent {
 public:
  explicit WakeEvent(asio::any_io_executor executor);
  void notify();
  // Returns true if notified, false if `deadline` has passed or the wait was cancelled.
  Task<bool> wait_until(SteadyClock::time_point deadline);
  Task<bool> wait() { return wait_until(SteadyClock::time_point::max()); }

 private:
  asio::steady_timer timer_;
  bool notified_ = false;
};

// Runs tasks that belong together and stops them together. Must be empty when destroyed: call
// cancel(), then await idle().
class TaskGroup {
 public:
  explicit TaskGroup(asio::any_io_executor executor);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  // Starts the task. An exception that escapes from it terminates the program: it is a defect, and
  // the next start recovers from the recorded state.
  void spawn(std::string name, Task<void> task);
  // Cancels all tasks (terminal); each ends at its next suspension point.
  void cancel();
  // Completes when no task is left.
  Task<void> idle();
  [[nodiscard]] std::size_t size() const { return members_.size(); }

 private:
  struct Member {
    std::string name;
    asio::cancellation_signal signal;
    bool started = false;
    bool cancelled = false;
  };
  static Task<void> run(Member* member, Task<void> task);
  asio::any_io_executor executor_;
  std::list<Member> members_;
  asio::steady_timer empty_;
};

namespace detail {
Task<bool> race_with_deadline(SteadyClock::time_point deadline, Task<void> task);

template <class T>
Task<void> store_result(Task<T> task, T* into) {
  *into = co_await std::move(task);
}
}  // namespace detail

// Returns the task's result, or Errc::timed_out with `what` in its text if `deadline` passes first;
// the task is then cancelled and awaited.
template <class T>
Task<Result<T>> with_deadline(SteadyClock::time_point deadline, std::string what,
                              Task<Result<T>> task) {
  Result<T> result = Error{Errc::cancelled, what + ": cancelled", {}};
  auto stored = detail::store_result(std::move(task), &result);
  const bool finished = co_await detail::race_with_deadline(deadline, std::move(stored));
  if (!finished) co_return Error{Errc::timed_out, what + ": no answer in time", {}};
  co_return result;
}

}  // namespace trimtab
