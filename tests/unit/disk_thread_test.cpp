#include "common/disk_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/lib/loop.hpp"

namespace trimtab {
namespace {

Task<Result<std::string>> work_elsewhere() {
  auto work = [] { return std::this_thread::get_id(); };
  const std::thread::id first = co_await on_disk_thread(work);
  const std::thread::id second = co_await on_disk_thread(work);
  if (first == std::this_thread::get_id()) co_return std::string("on the loop");
  co_return std::string(first == second ? "on one thread" : "on two threads");
}

TEST(DiskThread, IsOneBesideTheLoop) {
  EXPECT_EQ(test::await(work_elsewhere()).value(), "on one thread");
}

Task<Result<void>> fail_there() {
  auto work = []() -> int { throw std::runtime_error("no such disk"); };
  const int result = co_await on_disk_thread(work);
  static_cast<void>(result);
  co_return Result<void>();
}

TEST(DiskThread, CarriesExceptionsOver) {
  try {
    static_cast<void>(test::await(fail_there()));
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "no such disk");
  }
}

// What the work and those who wait for it have in common.
struct Shared {
  std::promise<void> begun;
  std::promise<void> may_end;
  std::atomic<bool> ended{false};
  bool caller_left = false;
  bool had_ended_before = false;
};

// Tells when its caller's frame goes.
class Frame {
 public:
  explicit Frame(Shared* shared) : shared_(shared) {}
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() {
    shared_->caller_left = true;
    shared_->had_ended_before = shared_->ended;
  }

 private:
  Shared* shared_;
};

Task<void> work_until_told(Shared* shared) {
  const Frame frame(shared);
  auto work = [shared] {
    shared->begun.set_value();
    shared->may_end.get_future().wait();
    shared->ended = true;
    return true;
  };
  const bool done = co_await on_disk_thread(work);
  static_cast<void>(done);
}

TEST(DiskThread, KeepsACancelledCallerUntilTheWorkHasEnded) {
  asio::io_context loop;
  Shared shared;
  TaskGroup group(loop.get_executor());
  group.spawn("work", work_until_told(&shared));
  loop.poll();
  shared.begun.get_future().wait();
  group.cancel();
  loop.restart();
  loop.poll();
  EXPECT_FALSE(shared.caller_left);
  shared.may_end.set_value();
  test::run_loop(loop);
  EXPECT_TRUE(shared.caller_left);
  EXPECT_TRUE(shared.had_ended_before);
  EXPECT_EQ(group.size(), 0U);
}

}  // namespace
}  // namespace trimtab
