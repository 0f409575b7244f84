// Runs work that may block for long (syncing, walking directories, removing many files) outside of
// the event loop.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "common/async.hpp"

namespace trimtab {

namespace detail {
// Completes when the work is done, even if the caller was cancelled meanwhile.
Task<void> run_on_disk_thread(std::shared_ptr<std::function<void()>> work);
}  // namespace detail

// Runs `work` on the single disk thread, after all work queued before it, and returns its result or
// rethrows its exception. Cancellation does not interrupt it: the call waits for it, so `work` may
// refer to the caller's variables.
template <class Work>
Task<std::invoke_result_t<Work&>> on_disk_thread(Work work) {
  std::optional<std::invoke_result_t<Work&>> result;
  std::exception_ptr failure;
  const auto whole = std::make_shared<std::function<void()>>([&] {
    try {
      result.emplace(work());
    } catch (...) {
      failure = std::current_exception();
    }
  });
  co_await detail::run_on_disk_thread(whole);
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*result);
}

}  // namespace trimtab
