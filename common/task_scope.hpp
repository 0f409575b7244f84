// What a coroutine must do before it ends, although it was cancelled: after a cancellation each
// further co_await throws at once, so that a plain one at its end would be left out.
#pragma once

#include <exception>
#include <functional>

#include "common/async.hpp"

namespace trimtab {

// Runs `body`, then the task that `cleanup` gives, which is awaited even if the body threw or the
// caller was cancelled; a further cancellation meanwhile may cut a wait of it short. What the body
// threw is thrown on.
Task<void> with_cleanup(Task<void> body, std::function<Task<void>()> cleanup);

// Runs the task that `body` gives, with a group for tasks of its own. When the body ends, however
// it does, what is left in the group is cancelled and awaited. What the tasks refer to must outlive
// the call, not the body.
Task<void> with_task_group(std::function<Task<void>(TaskGroup&)> body);

// A task of nothing that stores what the task gives: a body for the above.
using detail::store_result;

// Throws on what a task was left by, unless that is how a cancelled task ends.
void rethrow_defect(const std::exception_ptr& failure);

}  // namespace trimtab
