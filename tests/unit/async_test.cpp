#include "common/async.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "common/task_scope.hpp"
#include "common/unless.hpp"
#include "tests/lib/loop.hpp"

namespace trimtab {
namespace {

using namespace std::chrono_literals;
using test::await;

// WakeEvent

Task<bool> wait_for(WakeEvent* event, SteadyClock::duration longest) {
  co_return co_await event->wait_until(SteadyClock::now() + longest);
}

TEST(WakeEvent, RemembersOneNotificationFromBeforeTheWait) {
  asio::io_context loop;
  WakeEvent event(loop.get_executor());
  event.notify();
  event.notify();
  EXPECT_TRUE(await(loop, wait_for(&event, 10s)));
  EXPECT_FALSE(await(loop, wait_for(&event, 1ms)));
}

Task<void> count_wakeups(WakeEvent* event, int* count) {
  for (;;) {
    const bool notified = co_await event->wait();
    if (!notified) co_return;
    ++*count;
  }
}

TEST(WakeEvent, WakesAWaiterEachTime) {
  asio::io_context loop;
  WakeEvent event(loop.get_executor());
  TaskGroup group(loop.get_executor());
  int count = 0;
  group.spawn("waiter", count_wakeups(&event, &count));
  loop.poll();
  EXPECT_EQ(count, 0);
  event.notify();
  loop.poll();
  EXPECT_EQ(count, 1);
  event.notify();
  event.notify();
  loop.poll();
  EXPECT_EQ(count, 2);
  group.cancel();
  test::run_loop(loop);
  EXPECT_EQ(group.size(), 0U);
  EXPECT_EQ(count, 2);
}

TEST(WakeEvent, ANotificationInTheTurnOfTheDeadlineIsNotLost) {
  asio::io_context loop;
  WakeEvent event(loop.get_executor());
  auto late = [&event] { event.notify(); };
  asio::post(loop, late);
  const bool first = await(loop, wait_for(&event, 0ms));
  const bool second = await(loop, wait_for(&event, 0ms));
  EXPECT_TRUE(first || second);
  EXPECT_FALSE(first && second);
}

// TaskGroup

struct Trace {
  bool cleaned_up = false;
  bool ran_on = false;
};

Task<void> sleep_with_cleanup(Trace* trace) {
  struct Cleanup {
    Trace* trace;
    ~Cleanup() { trace->cleaned_up = true; }
  };
  const Cleanup cleanup{trace};
  const auto slept = co_await sleep_for(1h);
  EXPECT_EQ(slept ? Errc::failed : slept.error().code, Errc::cancelled);
  (void)co_await sleep_for(1h);
  trace->ran_on = true;
}

Task<void> wait_until_idle(TaskGroup* group, bool* idle) {
  co_await group->idle();
  *idle = true;
}

TEST(TaskGroup, CancelEndsAllAndIdleCompletes) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  TaskGroup watch(loop.get_executor());
  Trace traces[3];
  for (Trace& trace : traces) group.spawn("sleeper", sleep_with_cleanup(&trace));
  bool idle = false;
  watch.spawn("idle", wait_until_idle(&group, &idle));
  loop.poll();
  EXPECT_EQ(group.size(), 3U);
  EXPECT_FALSE(idle);

  group.cancel();
  test::run_loop(loop);
  EXPECT_EQ(group.size(), 0U);
  EXPECT_TRUE(idle);
  for (const Trace& trace : traces) {
    EXPECT_TRUE(trace.cleaned_up);
    EXPECT_FALSE(trace.ran_on);
  }
}

TEST(TaskGroup, IdleOfAnEmptyGroupCompletesAtOnce) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  TaskGroup watch(loop.get_executor());
  bool idle = false;
  watch.spawn("idle", wait_until_idle(&group, &idle));
  test::run_loop(loop);
  EXPECT_TRUE(idle);
}

TEST(TaskGroup, CancelBeforeTheFirstTurnOfTheLoop) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Trace trace;
  group.spawn("sleeper", sleep_with_cleanup(&trace));
  group.cancel();
  test::run_loop(loop);
  EXPECT_EQ(group.size(), 0U);
  EXPECT_FALSE(trace.ran_on);
}

Task<void> finish_at_once(int* finished) {
  ++*finished;
  co_return;
}

Task<void> spawn_and_cancel(TaskGroup* group, int* finished, Trace* trace) {
  group->spawn("quick", finish_at_once(finished));
  group->spawn("sleeper", sleep_with_cleanup(trace));
  group->cancel();
  co_await group->idle();
}

TEST(TaskGroup, CancelInTheTurnOfTheSpawn) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  TaskGroup outer(loop.get_executor());
  int finished = 0;
  Trace trace;
  outer.spawn("outer", spawn_and_cancel(&group, &finished, &trace));
  test::run_loop(loop);
  EXPECT_EQ(group.size(), 0U);
  EXPECT_EQ(outer.size(), 0U);
  EXPECT_FALSE(trace.ran_on);
}

Task<void> fail() {
  co_await sleep_for(1ms);
  throw std::logic_error("a defect");
}

TEST(TaskGroup, ADefectLeavesTheLoop) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  group.spawn("faulty", fail());
  EXPECT_THROW(test::run_loop(loop), std::logic_error);
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroupDeathTest, OneThatIsDestroyedWithATaskLeftEndsTheProcess) {
  const auto forget = [] {
    asio::io_context loop;
    Trace trace;
    TaskGroup group(loop.get_executor());
    group.spawn("the forgotten one", sleep_with_cleanup(&trace));
    loop.poll();
  };
  EXPECT_DEATH(forget(), "\"the forgotten one\" of it still ran");
}

// with_cleanup, with_task_group

struct Steps {
  std::vector<std::string> taken;
  void take(std::string step) { taken.push_back(std::move(step)); }
};

enum class End { returns, throws, sleeps };

Task<void> end_by(End end) {
  if (end == End::throws) throw std::logic_error("a defect");
  const auto duration = end == End::sleeps ? SteadyClock::duration(1h) : 1ms;
  (void)co_await sleep_for(duration);
}

Task<void> clean_up(Steps* steps) {
  const auto slept = co_await sleep_for(1ms);
  steps->take(slept ? "cleaned up" : "cleaning up was cancelled");
}

Task<void> with_steps(End end, Steps* steps) {
  auto body = end_by(end);
  const std::function<Task<void>()> cleanup = [steps] { return clean_up(steps); };
  auto whole = with_cleanup(std::move(body), cleanup);
  co_await std::move(whole);
  steps->take("done");
  co_await sleep_for(1ms);
  steps->take("went on");
}

TEST(WithCleanup, CleansUpWhereTheBodyReturns) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Steps steps;
  group.spawn("caller", with_steps(End::returns, &steps));
  test::run_loop(loop);
  EXPECT_EQ(steps.taken, (std::vector<std::string>{"cleaned up", "done", "went on"}));
}

TEST(WithCleanup, CleansUpWhereTheBodyThrows) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Steps steps;
  group.spawn("caller", with_steps(End::throws, &steps));
  EXPECT_THROW(test::run_loop(loop), std::logic_error);
  EXPECT_EQ(steps.taken, std::vector<std::string>{"cleaned up"});
}

TEST(WithCleanup, CleansUpWhereTheCallerIsCancelledAndEndsItThen) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Steps steps;
  group.spawn("caller", with_steps(End::sleeps, &steps));
  loop.poll();
  group.cancel();
  test::run_loop(loop);
  EXPECT_EQ(steps.taken, (std::vector<std::string>{"cleaned up", "done"}));
  EXPECT_EQ(group.size(), 0U);
}

// Notes its own end, some turns after it was cancelled.
Task<void> end_late(Steps* steps) {
  auto body = end_by(End::sleeps);
  const std::function<Task<void>()> cleanup = [steps] { return clean_up(steps); };
  auto whole = with_cleanup(std::move(body), cleanup);
  co_await std::move(whole);
}

Task<void> with_members(TaskGroup* group, End end, Steps* steps) {
  group->spawn("late", end_late(steps));
  group->spawn("late", end_late(steps));
  auto ending = end_by(end);
  co_await std::move(ending);
}

Task<void> with_group(End end, Steps* steps) {
  const std::function<Task<void>(TaskGroup&)> body = [end, steps](TaskGroup& group) {
    return with_members(&group, end, steps);
  };
  auto whole = with_task_group(body);
  co_await std::move(whole);
  steps->take("done");
}

TEST(WithTaskGroup, AwaitsItsMembersWhereTheBodyReturns) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Steps steps;
  group.spawn("caller", with_group(End::returns, &steps));
  test::run_loop(loop);
  EXPECT_EQ(steps.taken, (std::vector<std::string>{"cleaned up", "cleaned up", "done"}));
}

TEST(WithTaskGroup, AwaitsItsMembersWhereTheBodyThrows) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Steps steps;
  group.spawn("caller", with_group(End::throws, &steps));
  EXPECT_THROW(test::run_loop(loop), std::logic_error);
  EXPECT_EQ(steps.taken, (std::vector<std::string>{"cleaned up", "cleaned up"}));
}

TEST(WithTaskGroup, AwaitsItsMembersWhereTheCallerIsCancelled) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Steps steps;
  group.spawn("caller", with_group(End::sleeps, &steps));
  loop.poll();
  group.cancel();
  loop.poll();
  group.cancel();  // once more, while it waits for its members
  test::run_loop(loop);
  EXPECT_EQ(steps.taken.size(), 3U);
  EXPECT_EQ(steps.taken.back(), "done");
  EXPECT_EQ(group.size(), 0U);
}

// with_deadline

Task<Result<int>> answer_after(SteadyClock::duration delay, bool* cancelled) {
  const auto slept = co_await sleep_for(delay);
  if (!slept) {
    *cancelled = true;
    co_return slept.error();
  }
  co_return 42;
}

Task<Result<int>> bounded(SteadyClock::duration delay, SteadyClock::duration longest,
                          bool* cancelled) {
  auto task = answer_after(delay, cancelled);
  co_return co_await with_deadline(SteadyClock::now() + longest, "the answer", std::move(task));
}

TEST(WithDeadline, GivesTheResultInTime) {
  bool cancelled = false;
  EXPECT_EQ(await(bounded(1ms, 10s, &cancelled)).value(), 42);
  EXPECT_FALSE(cancelled);
}

TEST(WithDeadline, TimesOutAndCancelsTheTask) {
  bool cancelled = false;
  const auto result = await(bounded(1h, 10ms, &cancelled));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::timed_out);
  EXPECT_EQ(result.error().message, "the answer: no answer in time");
  EXPECT_TRUE(cancelled);
}

TEST(WithDeadline, TimesOutWhereTheDeadlineHasPassedAlready) {
  bool cancelled = false;
  EXPECT_EQ(await(bounded(1h, -1s, &cancelled)).error().code, Errc::timed_out);
}

Task<Result<int>> fail_with_exception() {
  co_await sleep_for(1ms);
  throw std::logic_error("a defect");
}

Task<Result<int>> bounded_failure() {
  auto task = fail_with_exception();
  co_return co_await with_deadline(SteadyClock::now() + 10s, "the answer", std::move(task));
}

TEST(WithDeadline, LetsADefectThrough) {
  EXPECT_THROW((void)await(bounded_failure()), std::logic_error);
}

Task<Result<int>> nested(SteadyClock::duration inner, SteadyClock::duration outer,
                         bool* cancelled) {
  auto task = bounded(1h, inner, cancelled);
  co_return co_await with_deadline(SteadyClock::now() + outer, "outer", std::move(task));
}

TEST(WithDeadline, TheNearerOfTwoDeadlinesHolds) {
  bool cancelled = false;
  EXPECT_EQ(await(nested(10ms, 1h, &cancelled)).error().message, "the answer: no answer in time");
  EXPECT_TRUE(cancelled);
  cancelled = false;
  EXPECT_EQ(await(nested(1h, 10ms, &cancelled)).error().message, "outer: no answer in time");
  EXPECT_TRUE(cancelled);
}

Task<void> store(Task<Result<int>> task, Result<int>* into) {
  *into = co_await std::move(task);
}

TEST(WithDeadline, CancellationOfTheCallerReachesTheTaskAndIsNoTimeout) {
  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  bool cancelled = false;
  Result<int> result = 7;
  group.spawn("caller", store(nested(1h, 1h, &cancelled), &result));
  loop.poll();
  group.cancel();
  test::run_loop(loop);
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(group.size(), 0U);
  // The caller ends at its next suspension at the latest; what it saw until then is "cancelled".
  EXPECT_TRUE(result || result.error().code == Errc::cancelled);
}

Task<Result<int>> two_in_a_row() {
  bool cancelled = false;
  auto first = answer_after(1h, &cancelled);
  const auto late = co_await with_deadline(SteadyClock::now() + 5ms, "first", std::move(first));
  if (late) co_return 0;
  auto second = answer_after(1ms, &cancelled);
  co_return co_await with_deadline(SteadyClock::now() + 10s, "second", std::move(second));
}

TEST(WithDeadline, ATimeoutDoesNotCancelTheCaller) {
  EXPECT_EQ(await(two_in_a_row()).value(), 42);
}

// unless

struct Wanted {
  explicit Wanted(asio::io_context& loop) : changed(loop.get_executor()) {}
  WakeEvent changed;
  bool unwanted = false;
  int asked = 0;
  bool cut = false;
};

Task<int> work_for(SteadyClock::duration wait, bool* cut) {
  const Result<void> slept = co_await sleep_for(wait);
  if (!slept) *cut = true;
  co_return 42;
}

Task<std::optional<int>> answer_unless_unwanted(Wanted* wanted, SteadyClock::duration wait) {
  const std::function<bool()> unwanted = [wanted] {
    ++wanted->asked;
    return wanted->unwanted;
  };
  auto task = work_for(wait, &wanted->cut);
  co_return co_await unless(&wanted->changed, unwanted, std::move(task));
}

Task<void> change_until(Wanted* wanted, int times) {
  for (int time = 1; time <= times; ++time) {
    wanted->unwanted = time == times;
    wanted->changed.notify();
    co_await sleep_for(0ms);
    co_await sleep_for(0ms);
  }
}

TEST(Unless, GivesTheResultOfWhatIsWanted) {
  asio::io_context loop;
  Wanted wanted(loop);
  EXPECT_EQ(await(loop, answer_unless_unwanted(&wanted, 0ms)), std::optional<int>(42));
  EXPECT_FALSE(wanted.cut);
}

TEST(Unless, DoesNotWaitForWhatIsUnwantedFromTheStart) {
  asio::io_context loop;
  Wanted wanted(loop);
  wanted.unwanted = true;
  EXPECT_EQ(await(loop, answer_unless_unwanted(&wanted, 1h)), std::nullopt);
  EXPECT_EQ(wanted.asked, 1);
}

TEST(Unless, AsksAgainWithEachChangeAndCutsTheTask) {
  asio::io_context loop;
  Wanted wanted(loop);
  TaskGroup group(loop.get_executor());
  group.spawn("changes", change_until(&wanted, 3));
  EXPECT_EQ(await(loop, answer_unless_unwanted(&wanted, 1h)), std::nullopt);
  EXPECT_TRUE(wanted.cut);
  EXPECT_GE(wanted.asked, 2);
  test::run_loop(loop);
}

TEST(Unless, EndsWithItsCaller) {
  asio::io_context loop;
  Wanted wanted(loop);
  TaskGroup group(loop.get_executor());
  std::optional<int> answer;
  auto asking = answer_unless_unwanted(&wanted, 1h);
  group.spawn("asks", store_result(std::move(asking), &answer));
  loop.poll();
  group.cancel();
  test::run_loop(loop);
  EXPECT_EQ(group.size(), 0U);
  EXPECT_TRUE(wanted.cut);
}

}  // namespace
}  // namespace trimtab
