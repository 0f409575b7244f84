// Cleanup for coroutines that may be cancelled: after a cancellation every further co_await throws
// at once, so that plain cleanup at the end would be skipped.
#pragma once

#include <exception>
#include <functional>

#include "common/async.hpp"

namespace trimtab {

// Runs `body`, then the task returned by `cleanup`, which is awaited even if the body threw or the
// caller was cancelled; another cancellation meanwhile may interrupt one of its waits. Rethrows
// what the body threw.
Task<void> with_cleanup(Task<void> body, std::function<Task<void>()> cleanup);

// Runs the task returned by `body` with a task group of its own. When the body ends, in whatever
// way, the tasks left in the group are cancelled and awaited. What these refer to must outlive the
// call, not just the body.
Task<void> with_task_group(std::function<Task<void>(TaskGroup&)> body);

// A Task<void> that stores a task's result, to be used as a body.
using detail::store_result;

// Rethrows the exception that ended a task, unless it is the one by which a cancelled task ends.
void rethrow_defect(const std::exception_ptr& failure);

}  // namespace trimtab
