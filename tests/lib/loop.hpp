// Runs a task on a loop of its own and gives its result.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>

#include "common/async.hpp"

namespace trimtab::test {

// Lets the loop of a test run until nothing is left on it; throws after a minute rather than hang.
inline void run_loop(asio::io_context& loop) {
  loop.restart();
  loop.run_for(std::chrono::seconds(60));
  if (!loop.stopped()) throw std::runtime_error("the loop still has work after a minute");
}

template <class T>
T await(asio::io_context& loop, Task<T> task) {
  std::optional<T> result;
  std::exception_ptr failure;
  auto done = [&](std::exception_ptr error, T value) {
    failure = std::move(error);
    result.emplace(std::move(value));
  };
  asio::co_spawn(loop, std::move(task), std::move(done));
  run_loop(loop);
  if (failure) std::rethrow_exception(failure);
  return std::move(result.value());
}

template <class T>
T await(Task<T> task) {
  asio::io_context loop;
  return await(loop, std::move(task));
}

}  // namespace trimtab::test
