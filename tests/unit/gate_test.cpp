// Does a release work? Rows of what is seen when, and what the gate makes of it.
#include <gtest/gtest.h>

#include "agent/execute/demand.hpp"
#include "agent/execute/gate.hpp"

namespace trimtab {
namespace {

using std::chrono::milliseconds;
using State = GateVerdict::State;

Container container(const std::string& id, ContainerState state, Health health = Health::none) {
  Container result;
  result.id = id;
  result.service = "web";
  result.image_id = "sha256:new";
  result.state = state;
  result.health = health;
  result.restart_policy = "unless-stopped";
  return result;
}

Container up(Health health = Health::none, int restarts = 0, const std::string& id = "w1") {
  Container result = container(id, ContainerState::running, health);
  result.restart_count = restarts;
  return result;
}

Container ended(int exit_code, const std::string& policy, int restarts = 0) {
  Container result = container("w1", ContainerState::exited);
  result.exit_code = exit_code;
  result.restart_policy = policy;
  result.restart_count = restarts;
  return result;
}

Container restarting(int exit_code, int restarts) {
  Container result = ended(exit_code, "always", restarts);
  result.state = ContainerState::restarting;
  return result;
}

Container without_memory(Container result) {
  result.oom_killed = true;
  return result;
}

Container refused(Container result, const std::string& error) {
  result.error = error;
  return result;
}

Container checked(Container result, int interval) {
  result.health_check = HealthCheck{std::chrono::seconds(interval), {}, {}};
  return result;
}

Container of(const std::string& service, Container result) {
  result.service = service;
  result.id = service + "1";
  return result;
}

Container with_image(const std::string& image_id, Container result) {
  result.image_id = image_id;
  return result;
}

void with_db(GateDemand& demand) {
  demand.services["db"] = {};
}

struct Look {
  int at;  // ms since the gate began
  std::vector<Container> containers;
  std::vector<ProbeAnswer> probes = {};
};

struct GateCase {
  std::string name;
  std::vector<Look> looks;
  std::string expected;  // of the last look: "passed", "waiting: …", "content: …", "world: …"
  std::function<void(GateDemand&)> demand = {};
};

std::ostream& operator<<(std::ostream& out, const GateCase& row) {
  return out << row.name;
}

std::string text(const GateVerdict& verdict) {
  if (verdict.state == State::passed) return "passed";
  if (verdict.state == State::failed) {
    return (verdict.cause == FailureCause::host ? "world: " : "content: ") + verdict.reason;
  }
  std::vector<std::string> words;
  for (const auto& [who, what] : verdict.waiting_for) words.push_back(who + " " + what);
  return words.empty() ? "waiting" : "waiting: " + join(words, ", ");
}

class GateOf : public testing::TestWithParam<GateCase> {};

// One service "web" of one container with image sha256:new, 60 s in all, 10 s of stability.
TEST_P(GateOf, Observations) {
  const GateCase& row = GetParam();
  GateDemand demand;
  demand.timeout = std::chrono::seconds(60);
  demand.stable = std::chrono::seconds(10);
  demand.services["web"].image_id = "sha256:new";
  if (row.demand) row.demand(demand);
  const SteadyClock::time_point start{};
  Gate gate(demand, start);
  GateVerdict verdict;
  for (const Look& look : row.looks) {
    ASSERT_EQ(verdict.state, State::waiting) << "before " << look.at << ": " << text(verdict);
    verdict = gate.observe(look.containers, look.probes, start + milliseconds(look.at));
  }
  EXPECT_EQ(text(verdict), row.expected);
}

INSTANTIATE_TEST_SUITE_P(
    Health, GateOf,
    testing::Values(
        GateCase{"NotPassedBeforeItIsStable",
                 {{0, {up(Health::healthy)}}, {9'999, {up(Health::healthy)}}},
                 "waiting"},
        GateCase{"PassesOnceStable",
                 {{0, {up(Health::healthy)}}, {10'000, {up(Health::healthy)}}},
                 "passed"},
        GateCase{"UnhealthyIsNotHealthy", {{0, {up(Health::unhealthy)}}}, "content: web unhealthy"},
        GateCase{"UnhealthyTellsTheChecksWords",
                 {{0, {[] {
                     Container c = up(Health::unhealthy);
                     c.last_health_output = "connection refused";
                     return c;
                   }()}}},
                 "content: web unhealthy: connection refused"},
        GateCase{"UnhealthyLater",
                 {{0, {up(Health::healthy)}}, {9'000, {up(Health::unhealthy)}}},
                 "content: web unhealthy"},
        GateCase{"StartingWaits", {{0, {up(Health::starting)}}}, "waiting: web health: starting"},
        GateCase{"StabilityBeginsWhenItIsHealthy",
                 {{0, {up(Health::starting)}},
                  {20'000, {up(Health::healthy)}},
                  {29'000, {up(Health::healthy)}}},
                 "waiting"},
        GateCase{"StartingAtTheDeadlineIsTheWorlds",
                 {{0, {up(Health::starting)}}, {60'000, {up(Health::starting)}}},
                 "world: web is not ready after 60 s: health: starting"},
        GateCase{"ProbesOfWhatStillStartsAreTheWorlds",
                 {{0, {up(Health::starting)}},
                  {60'000, {up(Health::starting)}, {{"http://127.0.0.1/", false, "refused"}}}},
                 "world: http://127.0.0.1/ is not ready after 60 s: refused"},
        GateCase{"ProbesOfWhatIsHealthyAreContent",
                 {{0, {up(Health::healthy)}, {{"http://127.0.0.1/", false, "refused"}}},
                  {60'000, {up(Health::healthy)}, {{"http://127.0.0.1/", false, "refused"}}}},
                 "content: http://127.0.0.1/ is not ready after 60 s: refused"},
        GateCase{"TheDeadlineCountsFromTheFirstCheck",
                 {{0, {checked(up(Health::starting), 300)}},
                  {359'000, {checked(up(Health::starting), 300)}}},
                 "waiting: web health: starting"},
        GateCase{"AndThenItIsOver",
                 {{0, {checked(up(Health::starting), 300)}},
                  {360'000, {checked(up(Health::starting), 300)}}},
                 "world: web is not ready after 6 min: health: starting"},
        GateCase{"NoCheckIsWaitedForWithoutEnd",
                 {{0, {checked(up(Health::starting), 86'400)}},
                  {3'660'000, {checked(up(Health::starting), 86'400)}}},
                 "world: web is not ready after 61 min: health: starting"},
        GateCase{"WhatWasHealthyBeforeIsNotWaitedFor",
                 {{0, {checked(up(Health::healthy), 300), of("db", up(Health::starting))}},
                  {60'000, {checked(up(Health::healthy), 300), of("db", up(Health::starting))}}},
                 "world: db is not ready after 60 s: health: starting",
                 [](GateDemand& d) {
                   d.services["db"] = {};
                   d.untouched = {"w1"};
                 }},
        GateCase{"TheDeadlineDoesNotCutStabilityShort",
                 {{0, {up(Health::starting)}},
                  {55'000, {up(Health::healthy)}},
                  {61'000, {up(Health::healthy)}},
                  {65'000, {up(Health::healthy)}}},
                 "passed"},
        GateCase{"AJobThatStillRunsIsContentWhateverElseStarts",
                 {{0, {up(Health::starting), of("db", up())}},
                  {60'000, {up(Health::starting), of("db", up())}}},
                 "content: db is not ready after 60 s: job is still running",
                 [](GateDemand& d) { d.services["db"].awaited_job = true; }},
        GateCase{"OneMoreServiceThatIsNotThereIsTheWorlds",
                 {{0, {up(Health::starting)}}, {60'000, {up(Health::starting)}}},
                 "world: db is not ready after 60 s: no container",
                 [](GateDemand& d) { d.services["db"] = {}; }}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    WithoutHealthcheck, GateOf,
    testing::Values(
        GateCase{"RunningForAWhileIsEnough", {{0, {up()}}, {10'000, {up()}}}, "passed"},
        GateCase{"ARestartBeginsTheWhileAnew",
                 {{0, {up()}}, {8'000, {up(Health::none, 1)}}, {12'000, {up(Health::none, 1)}}},
                 "waiting"},
        GateCase{"OneRestartIsForgiven",
                 {{0, {up()}}, {8'000, {up(Health::none, 1)}}, {18'000, {up(Health::none, 1)}}},
                 "passed"},
        GateCase{"ACrashLoopSeenWhileItRuns",
                 {{0, {up()}},
                  {2'000, {up(Health::none, 1)}},
                  {4'000, {up(Health::none, 2)}},
                  {6'000, {up(Health::none, 3)}}},
                 "content: web exited 3 times in 6 s"},
        GateCase{"ACrashLoopSeenWhileItIsDown",
                 {{0, {restarting(1, 0)}},
                  {1'000, {up(Health::none, 1)}},
                  {2'000, {restarting(1, 1)}},
                  {3'000, {up(Health::none, 2)}},
                  {4'000, {restarting(1, 3)}}},
                 "content: web exited with 1, 3 times in 4 s"},
        GateCase{
            "RestartingWaits", {{0, {restarting(1, 1)}}}, "waiting: web exited with 1, restarting"},
        GateCase{"ACrashLoopForLackOfMemory",
                 {{0, {without_memory(restarting(137, 3))}}},
                 "world: web was killed for lack of memory, 3 times in 0 s"},
        GateCase{"AlwaysNeverEndsByItself", {{0, {ended(0, "always")}}}, "waiting: web stopped"},
        GateCase{"AlwaysThatStaysDown",
                 {{0, {ended(0, "always")}}, {60'000, {ended(0, "always")}}},
                 "world: web is not ready after 60 s: stopped"},
        GateCase{
            "AlwaysThatSomebodyKills", {{0, {ended(137, "always")}}}, "world: web exited with 137"},
        GateCase{"BetweenTwoRestarts", {{0, {ended(1, "always", 1)}}}, "waiting: web restarting"},
        GateCase{"Exited1", {{0, {ended(1, "no")}}}, "content: web exited with 1"},
        GateCase{"KilledForLackOfMemory",
                 {{0, {without_memory(ended(137, "no"))}}},
                 "world: web was killed for lack of memory"},
        GateCase{"OneOutOfMemoryAndOneBroken",
                 {{0, {without_memory(ended(137, "no")), of("db", ended(1, "no"))}}},
                 "content: db exited with 1 (and 1 more)",
                 [](GateDemand& d) { d.services["db"] = {}; }},
        GateCase{"OneReplicaBrokenAndOneOutOfMemory",
                 {{0, {ended(1, "no"), without_memory(ended(137, "no"))}}},
                 "content: web exited with 1",
                 [](GateDemand& d) { d.services["web"].replicas = 2; }},
        GateCase{"ItsCommandDoesNotExist",
                 {{0, {refused(ended(127, "no"), "exec: \"foo\": executable file not found")}}},
                 "content: web exited with 127 (exec: \"foo\": executable file not found)"},
        GateCase{"DockerCouldNotStartIt",
                 {{0, {refused(ended(128, "no"), "No chain/target/match by that name")}}},
                 "world: web exited with 128 (No chain/target/match by that name)"},
        GateCase{"DockerCannotStartIt",
                 {{0, {refused(container("w1", ContainerState::created), "address pools")}},
                  {60'000, {refused(container("w1", ContainerState::created), "address pools")}}},
                 "world: web is not ready after 60 s: address pools"},
        GateCase{"StillRestartingAtTheDeadline",
                 {{0, {restarting(1, 1)}}, {60'000, {restarting(1, 2)}}},
                 "content: web is not ready after 60 s: exited with 1, restarting"},
        GateCase{"CreatedOnly",
                 {{0, {container("w1", ContainerState::created)}}},
                 "waiting: web created, not started"},
        GateCase{"PausedIsNotRunning",
                 {{0, {container("w1", ContainerState::paused)}}},
                 "waiting: web paused"},
        GateCase{"NoContainer", {{0, {}}}, "waiting: web no container"},
        GateCase{"NoContainerAtTheDeadline",
                 {{0, {}}, {60'000, {}}},
                 "world: web is not ready after 60 s: no container"}),
    testing::PrintToStringParamName());

// db, which web needs, and another image of web's: "restart: always" is how many wait for it.
INSTANTIATE_TEST_SUITE_P(
    CrashLoops, GateOf,
    testing::Values(GateCase{"NoneWhileAnotherServiceStarts",
                             {{0, {restarting(1, 3), of("db", up(Health::starting))}}},
                             "waiting: db health: starting, web exited with 1, restarting",
                             with_db},
                    GateCase{"NoneWhileAnotherServiceIsNotThere",
                             {{0, {restarting(1, 3)}}},
                             "waiting: db no container, web exited with 1, restarting",
                             with_db},
                    GateCase{"NoneBesideOneThatIsNotKnownToWork",
                             {{0, {restarting(1, 3), of("db", up())}}},
                             "waiting: web exited with 1, restarting",
                             with_db},
                    GateCase{"NoneThatRecovers",
                             {{0, {restarting(1, 5), of("db", up(Health::starting))}},
                              {12'000, {up(Health::healthy, 6), of("db", up(Health::healthy))}},
                              {22'000, {up(Health::healthy, 6), of("db", up(Health::healthy))}}},
                             "passed",
                             with_db},
                    GateCase{"OneOnceTheOtherIsHealthy",
                             {{0, {restarting(1, 3), of("db", up(Health::starting))}},
                              {5'000, {restarting(1, 5), of("db", up(Health::healthy))}},
                              {20'000, {restarting(1, 6), of("db", up(Health::healthy))}}},
                             "content: web exited with 1, 6 times in 20 s",
                             with_db},
                    GateCase{"OneBesideWhatRanBefore",
                             {{0, {restarting(1, 3), of("db", up())}}},
                             "content: web exited with 1, 3 times in 0 s",
                             [](GateDemand& d) {
                               with_db(d);
                               d.untouched = {"db1"};
                             }},
                    GateCase{"OneBesideAJobThatIsDone",
                             {{0, {restarting(1, 3), of("db", ended(0, "no"))}}},
                             "content: web exited with 1, 3 times in 0 s",
                             with_db},
                    GateCase{"TwoAtOnce",
                             {{0, {restarting(1, 3), of("db", restarting(2, 3))}}},
                             "content: db exited with 2, 3 times in 0 s (and 1 more)",
                             with_db},
                    GateCase{"OneAtTheDeadline",
                             {{0, {restarting(1, 3), of("db", up(Health::starting))}},
                              {60'000, {restarting(1, 9), of("db", up(Health::starting))}}},
                             "content: db is not ready after 60 s: health: starting",
                             with_db},
                    GateCase{"NoneWhileServicesStartThatAreNotAskedFor",
                             {{0, {restarting(1, 3)}}},
                             "waiting: web exited with 1, restarting",
                             [](GateDemand& d) { d.others_start = true; }}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    Jobs, GateOf,
    testing::Values(
        GateCase{"Exit0IsSuccess", {{0, {ended(0, "no")}}, {10'000, {ended(0, "no")}}}, "passed"},
        GateCase{"Exit0WithOnFailureIsSuccess",
                 {{0, {ended(0, "on-failure", 1)}}, {10'000, {ended(0, "on-failure", 1)}}},
                 "passed"},
        GateCase{"Exit1Fails", {{0, {ended(1, "on-failure")}}}, "content: web exited with 1"},
        GateCase{"AwaitedAndStillRunning",
                 {{0, {up()}}, {20'000, {up()}}},
                 "waiting: web job is still running",
                 [](GateDemand& d) { d.services["web"].awaited_job = true; }},
        GateCase{"AwaitedAndDone",
                 {{0, {up()}}, {20'000, {ended(0, "no")}}, {30'000, {ended(0, "no")}}},
                 "passed",
                 [](GateDemand& d) { d.services["web"].awaited_job = true; }}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    WhichContainers, GateOf,
    testing::Values(
        GateCase{"WrongImage",
                 {{0, {with_image("sha256:old", up(Health::healthy))}}},
                 "content: web runs a different image than the release specifies"},
        GateCase{
            "AnyImageWhereNoneIsDemanded",
            {{0, {with_image("sha256:old", up())}}, {10'000, {with_image("sha256:old", up())}}},
            "passed",
            [](GateDemand& d) { d.services["web"].image_id.clear(); }},
        GateCase{"OneOfTwoReplicas",
                 {{0, {up()}}},
                 "waiting: web 1 of 2 containers",
                 [](GateDemand& d) { d.services["web"].replicas = 2; }},
        GateCase{
            "BothReplicas",
            {{0, {up(), up(Health::none, 0, "w2")}}, {10'000, {up(), up(Health::none, 0, "w2")}}},
            "passed",
            [](GateDemand& d) { d.services["web"].replicas = 2; }},
        GateCase{"NoneDemanded",
                 {{0, {}}, {10'000, {}}},
                 "passed",
                 [](GateDemand& d) { d.services["web"].replicas = 0; }},
        GateCase{"StoppedByHandIsNotDemanded",
                 {{0, {ended(137, "always")}}, {10'000, {ended(137, "always")}}},
                 "passed",
                 [](GateDemand& d) { d.services["web"].must_run = false; }},
        GateCase{
            "OtherServicesDoNotCount",
            {{0, {up(), of("old", ended(1, "no"))}}, {10'000, {up(), of("old", ended(1, "no"))}}},
            "passed"},
        GateCase{"EarlierRestartsOfAnUntouchedOneDoNotCount",
                 {{0, {up(Health::none, 7)}}, {10'000, {up(Health::none, 7)}}},
                 "passed",
                 [](GateDemand& d) { d.untouched = {"w1"}; }},
        GateCase{"NewRestartsOfAnUntouchedOneDo",
                 {{0, {up(Health::none, 7)}}, {3'000, {up(Health::none, 10)}}},
                 "content: web exited 3 times in 3 s",
                 [](GateDemand& d) { d.untouched = {"w1"}; }},
        GateCase{"AlsoAfterDockerCountedAnew",
                 {{0, {up(Health::none, 7)}}, {1'000, {up()}}, {3'000, {up(Health::none, 3)}}},
                 "content: web exited 3 times in 3 s",
                 [](GateDemand& d) { d.untouched = {"w1"}; }},
        GateCase{"AnUntouchedOneThatSomebodyStopsMeanwhileIsNotDemanded",
                 {{0, {up()}}, {1'000, {ended(143, "always")}}, {10'000, {ended(143, "always")}}},
                 "passed",
                 [](GateDemand& d) { d.untouched = {"w1"}; }},
        GateCase{"AnUntouchedOneThatDockerCannotStartIs",
                 {{0, {up()}}, {1'000, {refused(ended(128, "always"), "no such device")}}},
                 "world: web exited with 128 (no such device)",
                 [](GateDemand& d) { d.untouched = {"w1"}; }},
        GateCase{"RestartsOfANewOneBeforeTheGateBeganDo",
                 {{0, {up(Health::none, 3)}}},
                 "content: web exited 3 times in 0 s"}),
    testing::PrintToStringParamName());

const std::vector<ProbeAnswer> answers_502{{"http://127.0.0.1/healthz", false, "answers 502"}};
const std::vector<ProbeAnswer> answers_200{{"http://127.0.0.1/healthz", true, ""}};

INSTANTIATE_TEST_SUITE_P(
    Probes, GateOf,
    testing::Values(
        GateCase{"MustAnswer",
                 {{0, {up()}, answers_502}},
                 "waiting: http://127.0.0.1/healthz answers 502"},
        GateCase{
            "OneFailureBeginsStabilityAnew",
            {{0, {up()}, answers_200}, {9'000, {up()}, answers_502}, {11'000, {up()}, answers_200}},
            "waiting"},
        GateCase{"Answered", {{0, {up()}, answers_200}, {10'000, {up()}, answers_200}}, "passed"},
        GateCase{"NotAnsweredInTimeIsContent",
                 {{0, {up()}, answers_502}, {60'000, {up()}, answers_502}},
                 "content: http://127.0.0.1/healthz is not ready after 60 s: answers 502"}),
    testing::PrintToStringParamName());

TEST(Gate, NamesEveryServiceThatFails) {
  GateDemand demand;
  demand.services["db"] = {};
  demand.services["web"] = {};
  Gate gate(demand, SteadyClock::time_point{});
  const GateVerdict verdict = gate.observe(
      {of("web", up(Health::unhealthy)), of("db", ended(1, "no"))}, {}, SteadyClock::time_point{});
  ASSERT_EQ(verdict.services.size(), 2U);
  EXPECT_EQ(verdict.services[0].service, "db");
  EXPECT_EQ(verdict.services[0].reason, "exited with 1");
  EXPECT_EQ(verdict.services[1].service, "web");
  EXPECT_EQ(verdict.services[1].reason, "unhealthy");
}

TEST(Gate, LooksAgainInTimeForWhatHasNoEvent) {
  GateDemand demand;
  demand.timeout = std::chrono::seconds(60);
  demand.stable = std::chrono::seconds(10);
  demand.services["web"] = {};
  const SteadyClock::time_point start{};
  Gate gate(demand, start);
  gate.observe({up()}, {}, start);
  EXPECT_EQ(gate.next_poll_at(start), start + milliseconds(1000));
  EXPECT_EQ(gate.next_poll_at(start + milliseconds(9'600)), start + milliseconds(10'000));
  gate.observe({}, {}, start + milliseconds(9'700));
  EXPECT_EQ(gate.next_poll_at(start + milliseconds(59'800)), start + milliseconds(60'000));
  // Never a busy loop, even when the moment has passed.
  EXPECT_EQ(gate.next_poll_at(start + milliseconds(61'000)), start + milliseconds(61'050));
}

// ---- What is demanded -----------------------------------------------------------------------

Rendering rendering(const std::string& services) {
  auto model = parse_json("{\"services\": {" + services + "}}");
  EXPECT_TRUE(model) << services;
  Rendering result;
  if (model) result.model = std::move(*model);
  return result;
}

Plan plan_of(std::vector<std::pair<std::string, Action>> actions) {
  Plan plan;
  for (auto& [name, action] : actions) plan.steps.push_back({name, action, Risk::none, {}});
  return plan;
}

struct DemandCase {
  const char* name;
  Action action;
  bool stopped;   // by hand, before
  bool done_job;  // had done its work before
  bool must_run;
  bool same_image;  // the release's image is demanded
  bool untouched;   // its earlier restarts do not count
  const char* verified = "w1";
};

TEST(Demand, OfAServiceDependsOnWhatIsDoneToIt) {
  for (const DemandCase& row : {
           DemandCase{"left alone", Action::none, false, false, true, false, true},
           DemandCase{"left alone, stopped manually", Action::none, true, false, false, false,
                      true},
           DemandCase{"made since the last gate", Action::none, false, false, true, false, false,
                      "w0"},
           DemandCase{"made since the last gate, stopped manually", Action::none, true, false,
                      false, false, false, "w0"},
           DemandCase{"left alone, a finished job", Action::none, false, true, false, false, true},
           DemandCase{"replaced", Action::recreate, false, false, true, true, false},
           DemandCase{"replaced, was stopped manually", Action::recreate, true, false, true, true,
                      false},
           DemandCase{"a job that runs again", Action::recreate, false, true, true, true, false},
           DemandCase{"restarted", Action::restart, false, false, true, true, false},
           DemandCase{"created", Action::create, false, false, true, true, false},
           DemandCase{"a job that is tidied away", Action::remove, false, true, false, true, true},
           DemandCase{"tidied away though its end was not noted", Action::remove, false, false,
                      false, true, true},
       }) {
    Container before = up();
    if (row.stopped) before = ended(137, "always");
    Observed observed;
    observed.containers = {before};
    std::set<std::string> done_jobs;
    if (row.done_job) done_jobs.insert("web");
    RunningSet verified;
    verified.services["web"].containers = {row.verified};
    const GateDemand demand =
        demand_of(rendering(R"("web": {"image": "a"})"), GateSettings{}, {{"web", "sha256:new"}},
                  observed, verified, plan_of({{"web", row.action}}), done_jobs);
    ASSERT_EQ(demand.services.size(), 1U);
    EXPECT_EQ(demand.services.at("web").must_run, row.must_run) << row.name;
    EXPECT_EQ(!demand.services.at("web").image_id.empty(), row.same_image) << row.name;
    EXPECT_EQ(demand.untouched.contains("w1"), row.untouched) << row.name;
  }
}

TEST(Demand, AfterGoingBackEveryImageCounts) {
  const GateDemand demand = demand_of(rendering(R"("web": {"image": "a"})"), GateSettings{},
                                      {{"web", "sha256:old"}}, {}, {}, Plan{}, {"migrate"});
  EXPECT_EQ(demand.services.at("web").image_id, "sha256:old");
  EXPECT_TRUE(demand.services.at("web").must_run);
}

TEST(Demand, ComesFromTheComposeFileAndTheSettings) {
  GateSettings settings;
  settings.timeout = std::chrono::minutes(2);
  settings.stable = std::chrono::seconds(7);
  const GateDemand demand =
      demand_of(rendering(R"("web": {"deploy": {"replicas": 3},
                           "depends_on": {"migrate": {"condition":
                                                      "service_completed_successfully"}}},
                   "migrate": {"image": "m"}, "db": {"image": "d"})"),
                settings, {}, {}, {}, plan_of({{"gone", Action::remove}}), {});
  EXPECT_EQ(demand.timeout, settings.timeout);
  EXPECT_EQ(demand.stable, settings.stable);
  ASSERT_EQ(demand.services.size(), 3U);
  EXPECT_EQ(demand.services.at("web").replicas, 3);
  EXPECT_TRUE(demand.services.at("migrate").awaited_job);
  EXPECT_FALSE(demand.services.at("db").awaited_job);
}

}  // namespace
}  // namespace trimtab
