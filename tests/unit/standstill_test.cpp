#include "common/standstill.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <thread>

#include "tests/lib/loop.hpp"

namespace trimtab {
namespace {

using namespace std::chrono_literals;

TEST(StandstillMeter, TellsTheLongestOfAllAndOfThePeriodsThatCount) {
  struct Row {
    const char* what;
    std::chrono::minutes begun;  // the first one was 9 ms at minute 0
    std::chrono::milliseconds took;
    std::chrono::minutes read;
    std::chrono::milliseconds longest;
    std::chrono::milliseconds lately;
  };
  const Row rows[] = {
      {"a shorter one", 1min, 5ms, 2min, 9ms, 9ms},
      {"a longer one", 1min, 12ms, 2min, 12ms, 12ms},
      {"in the next half hour both count", 31min, 5ms, 32min, 9ms, 9ms},
      {"an hour later the first does not", 61min, 5ms, 62min, 9ms, 5ms},
      {"what is read later is older", 31min, 5ms, 61min, 9ms, 5ms},
      {"nothing ran for hours", 31min, 5ms, 300min, 9ms, 0ms},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    StandstillMeter meter;
    const StandstillMeter::Time begin{24h};
    meter.note(begin, begin + 9ms);
    meter.note(begin + row.begun, begin + row.begun + row.took);
    const Standstill told = meter.read(begin + row.read);
    EXPECT_EQ(told.longest, row.longest);
    EXPECT_EQ(told.lately, row.lately);
  }
}

Task<bool> block_for(std::chrono::milliseconds duration) {
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
  std::this_thread::sleep_for(duration);
  const Result<void> slept = co_await sleep_for(1ms);
  co_return slept.has_value();
}

Task<bool> wait_for(std::chrono::milliseconds duration) {
  const Result<void> slept = co_await sleep_for(duration);
  co_return slept.has_value();
}

TEST(Standstill, IsHowLongTheLoopDoesNotListen) {
  measure_standstill();
  EXPECT_TRUE(test::await(block_for(20ms)));
  EXPECT_GE(standstill().longest, 20ms);
}

TEST(Standstill, IsNotWhatTheLoopWaits) {
  // On a machine where others work, too, a handler may be the one that has to wait.
  std::chrono::nanoseconds least = 1h;
  for (int i = 0; i < 5; ++i) {
    measure_standstill();
    EXPECT_TRUE(test::await(wait_for(100ms)));
    EXPECT_GT(standstill().longest, 0ns);
    least = std::min(least, standstill().longest);
  }
  EXPECT_LT(least, 100ms);
}

TEST(Standstill, IsNotWhatAnotherThreadDoes) {
  measure_standstill();
  std::thread([] { EXPECT_TRUE(test::await(block_for(20ms))); }).join();
  EXPECT_EQ(standstill().longest, 0ns);
}

}  // namespace
}  // namespace trimtab
