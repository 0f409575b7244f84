// What sends a release back after it has passed its gate, and what is no fault of its own.
#include <gtest/gtest.h>

#include "agent/execute/probation.hpp"

namespace trimtab {
namespace {

using std::chrono::milliseconds;

constexpr auto moment = SteadyClock::time_point(std::chrono::hours(1));

ReleaseRecord release(int number, const SeenContainers& seen) {
  ReleaseRecord result;
  result.number = number;
  result.seen = seen;
  return result;
}

Container container(const std::string& service, const std::string& id) {
  Container result;
  result.service = service;
  result.id = id;
  result.state = ContainerState::running;
  result.restart_policy = "no";
  return result;
}

Container unhealthy(Container result) {
  result.health = Health::unhealthy;
  return result;
}

Container exited(Container result, int code, const std::string& policy = "no") {
  result.state = ContainerState::exited;
  result.exit_code = code;
  result.restart_policy = policy;
  return result;
}

Container restarted(Container result, int times) {
  result.restart_count = times;
  result.restart_policy = "always";
  return result;
}

Container without_memory(Container result) {
  result.oom_killed = true;
  return result;
}

const Container web = container("web", "web-2");  // made by the release
const Container db = container("db", "db-1");     // untouched by it

struct Row {
  std::string name;
  std::vector<Container> first;  // what is seen at first
  std::vector<Container> then;   // and from then on
  std::string reason;            // "": it stays
  std::set<std::string> stopped = {};
};

std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.name;
}

class ProbationOf : public testing::TestWithParam<Row> {};

TEST_P(ProbationOf, Observations) {
  const Row& row = GetParam();
  const ReleaseRecord good = release(1, {{"web", {"web-1"}}, {"db", {"db-1"}}});
  const ReleaseRecord now = release(2, {{"web", {"web-2"}}, {"db", {"db-1"}}});
  Probation probation(now, good, false, moment);
  EXPECT_EQ(probation.release(), 2);
  EXPECT_FALSE(probation.observe(row.first, row.stopped, moment));
  EXPECT_FALSE(probation.next_poll_at());
  // Never at once.
  EXPECT_FALSE(probation.observe(row.then, row.stopped, moment + milliseconds(100)));
  EXPECT_EQ(probation.next_poll_at().has_value(), !row.reason.empty());
  const auto failure = probation.observe(row.then, row.stopped, moment + milliseconds(2100));
  EXPECT_EQ(failure ? failure->reason : std::string(), row.reason);
  if (!failure) return;
  EXPECT_EQ(failure->cause, FailureCause::release);
  EXPECT_EQ(failure->phase, "probation");
  EXPECT_EQ(failure->services.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ProbationOf,
    testing::Values(
        Row{"Works", {web, db}, {web, db}, ""},
        Row{"TurnsUnhealthy", {web, db}, {unhealthy(web), db}, "on probation: web unhealthy"},
        Row{"IsUnhealthyFromTheBeginning", {web}, {unhealthy(web)}, "on probation: web unhealthy"},
        Row{"Exits", {web, db}, {exited(web, 1), db}, "on probation: web exited with 1"},
        Row{"DoesItsWork", {web, db}, {exited(web, 0), db}, ""},
        Row{"RestartsAgainAndAgain",
            {restarted(web, 7), db},
            {restarted(web, 10), db},
            "on probation: web exited 3 times in 2.1 s"},
        Row{"RestartsTwice", {restarted(web, 7), db}, {restarted(web, 9), db}, ""},
        Row{"LacksMemory", {web, db}, {without_memory(exited(web, 137)), db}, ""},
        Row{"IsKilledByHand", {web, db}, {exited(web, 137), db}, ""},
        Row{"IsTerminatedByHand", {web, db}, {exited(web, 143), db}, ""},
        Row{"IsStoppedByHand", {web, db}, {exited(web, 1), db}, "", {"web-2"}},
        Row{"IsStoppedAlthoughItRestarts", {web, db}, {exited(web, 1, "always"), db}, ""},
        Row{"HadEndedBeforeItWasSeen", {exited(web, 1), db}, {exited(web, 1), db}, ""},
        Row{"IsReplacedByHand", {web, db}, {unhealthy(container("web", "web-3")), db}, ""},
        Row{"IsGone", {web, db}, {db}, ""},
        Row{"AnotherServiceIsUnhealthy", {web, db}, {web, unhealthy(db)}, ""},
        Row{"BreaksWithWhatItNeeds", {web, db}, {unhealthy(web), exited(db, 0)}, ""},
        Row{"AnotherWasDownBefore",
            {web, exited(db, 1)},
            {unhealthy(web), exited(db, 1)},
            "on probation: web unhealthy"}),
    [](const auto& row) { return row.param.name; });

TEST(Probation, WhatRecoversAtOnceStays) {
  const ReleaseRecord good = release(1, {{"web", {"web-1"}}});
  const ReleaseRecord now = release(2, {{"web", {"web-2"}}});
  Probation probation(now, good, false, moment);
  EXPECT_FALSE(probation.observe({web}, {}, moment));
  EXPECT_FALSE(probation.observe({unhealthy(web)}, {}, moment + milliseconds(100)));
  EXPECT_FALSE(probation.observe({web}, {}, moment + milliseconds(1500)));
  EXPECT_FALSE(probation.observe({unhealthy(web)}, {}, moment + milliseconds(3000)));
  EXPECT_TRUE(probation.observe({unhealthy(web)}, {}, moment + milliseconds(5000)));
}

TEST(Probation, WhatRanAtTheGateAndHasEndedSinceIsBroken) {
  const ReleaseRecord good = release(1, {{"web", {"web-1"}}, {"db", {"db-1"}}});
  const ReleaseRecord now = release(2, {{"web", {"web-2"}}, {"db", {"db-1"}}});
  for (const bool seen_by_gate : {true, false}) {
    Probation probation(now, good, seen_by_gate, moment);
    EXPECT_FALSE(probation.observe({exited(web, 3), db}, {}, moment));
    const auto failure = probation.observe({exited(web, 3), db}, {}, moment + milliseconds(2100));
    EXPECT_EQ(failure.has_value(), seen_by_gate);
  }
  // What somebody stopped meanwhile is not.
  Probation probation(now, good, true, moment);
  EXPECT_FALSE(probation.observe({exited(web, 143), db}, {}, moment));
  EXPECT_FALSE(probation.observe({exited(web, 143), db}, {}, moment + milliseconds(2100)));
}

TEST(Probation, LastsNoLongerThanAWholeOneWhateverTheClockSays) {
  using std::chrono::hours;
  using std::chrono::minutes;
  const WallTime now = parse_time("2026-11-23T08:00:00Z").value();
  struct Clock {
    WallTime until;
    minutes left;
  };
  for (const Clock& row :
       {Clock{now + minutes(10), minutes(10)}, Clock{now + minutes(3), minutes(3)},
        Clock{now, minutes(0)}, Clock{now - hours(24), minutes(0)},
        Clock{now + hours(24), minutes(10)}}) {
    EXPECT_EQ(probation_left(row.until, now, minutes(10)), row.left);
  }
}

TEST(Probation, WhatAnotherServiceHasDoneIsNotHeldAgainstIt) {
  const ReleaseRecord good = release(1, {{"web", {"web-1"}}, {"db", {"db-1"}}});
  const ReleaseRecord now = release(2, {{"web", {"web-2"}}, {"db", {"db-1"}}});
  Probation probation(now, good, false, moment);
  Container starting = db;
  starting.health = Health::starting;
  int seconds = 0;
  const auto see = [&](const Container& mine, const Container& other) {
    return probation.observe({mine, other}, {}, moment + std::chrono::seconds(seconds += 5));
  };
  EXPECT_FALSE(see(restarted(web, 0), db));
  // It ends again and again while the database is down, and while that starts.
  EXPECT_FALSE(see(restarted(web, 3), exited(db, 1)));
  EXPECT_FALSE(see(restarted(web, 5), starting));
  // It has not recovered yet.
  EXPECT_FALSE(see(unhealthy(restarted(web, 5)), db));
  EXPECT_FALSE(see(unhealthy(restarted(web, 5)), db));
  EXPECT_FALSE(see(restarted(web, 5), db));
  // From now on it is its own fault.
  EXPECT_FALSE(see(unhealthy(restarted(web, 5)), db));
  EXPECT_TRUE(see(unhealthy(restarted(web, 5)), db));
}

}  // namespace
}  // namespace trimtab
