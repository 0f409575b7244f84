// Work that may block for long (syncing, walks through directories, removal of many files) beside
// the loop.
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
// Completes once the work has run to its end, whether or not the caller was cancelled meanwhile.
Task<void> run_on_disk_thread(std::shared_ptr<std::function<void()>> work);
}  // namespace detail

// What `work` returns, or throws, once it ran on the one disk thread, after all that was given to
// it before. A cancellation does not cut it short: it is awaited, and what it refers to may be of
// the caller.
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
