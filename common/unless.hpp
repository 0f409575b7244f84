// Abandons work as soon as it is no longer wanted.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "common/async.hpp"

namespace trimtab {

namespace detail {
Task<bool> race_with_change(WakeEvent* changed, std::function<bool()> unwanted, Task<void> task);

template <class T>
Task<void> store_result_in(Task<T> task, std::optional<T>* into) {
  T result = co_await std::move(task);
  into->emplace(std::move(result));
}
}  // namespace detail

// Returns the task's result; nothing if `unwanted` returns true, which is checked at first and
// whenever `changed` is notified: the task is then cancelled and awaited. `changed` must outlive
// the call and have no other waiter meanwhile.
template <class T>
Task<std::optional<T>> unless(WakeEvent* changed, std::function<bool()> unwanted, Task<T> task) {
  std::optional<T> result;
  auto stored = detail::store_result_in(std::move(task), &result);
  const bool finished =
      co_await detail::race_with_change(changed, std::move(unwanted), std::move(stored));
  if (!finished) co_return std::nullopt;
  co_return result;
}

}  // namespace trimtab
