// What a deployment does next, from what it aims at and what is there.
#include <gtest/gtest.h>

#include <ostream>

#include "agent/execute/end_record.hpp"
#include "agent/execute/failure_report.hpp"
#include "agent/execute/mounted_files.hpp"
#include "agent/execute/operations.hpp"
#include "agent/execute/probe.hpp"
#include "agent/execute/rolling_update.hpp"
#include "common/text.hpp"
#include "tests/lib/loop.hpp"

namespace trimtab {
namespace {

Rendering rendering(const std::string& services) {
  auto parsed = parse_json("{\"services\": {" + services + "}}");
  EXPECT_TRUE(parsed) << services;
  Rendering result;
  if (parsed) result.model = *parsed;
  return result;
}

Container running(const std::string& service, const std::string& id) {
  Container container;
  container.id = id;
  container.name = "shop-" + service + "-1";
  container.service = service;
  container.number = 1;
  container.state = ContainerState::running;
  return container;
}

Container exited(const std::string& service, const std::string& id, int exit_code) {
  Container container = running(service, id);
  container.state = ContainerState::exited;
  container.exit_code = exit_code;
  return container;
}

Container created(const std::string& service, const std::string& id) {
  Container container = running(service, id);
  container.state = ContainerState::created;
  return container;
}

Plan plan_of(const std::vector<std::pair<std::string, Action>>& steps) {
  Plan plan;
  for (const auto& [service, action] : steps)
    plan.steps.push_back({service, action, Risk::none, {}});
  return plan;
}

RunningSet ran(int release, const SeenContainers& containers) {
  RunningSet running;
  running.release = release;
  for (const auto& [service, ids] : containers) {
    running.services[service] = RunningService{release, ids, false, false};
  }
  return running;
}

// ---- The operations of a plan ---------------------------------------------------------------

std::string_view name_of(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::make_room:
      return "make room";
    case Operation::Kind::apply:
      return "apply";
    case Operation::Kind::await:
      return "await";
    case Operation::Kind::roll:
      return "roll";
    case Operation::Kind::restart:
      return "restart";
    case Operation::Kind::reload:
      return "reload";
    case Operation::Kind::remove:
      return "remove";
  }
  return "?";
}

std::string text_of(const std::vector<Operation>& operations) {
  std::vector<std::string> words;
  for (const Operation& one : operations) {
    words.push_back(std::string(name_of(one.kind)) + " " + join(one.services, "+"));
  }
  return join(words, ", ");
}

struct PlanCase {
  std::string name;
  std::vector<std::pair<std::string, Action>> steps;
  std::string services;  // of the release that it leads to
  std::vector<Container> present = {};
  std::string forward;
  std::string back;
};

std::ostream& operator<<(std::ostream& out, const PlanCase& row) {
  return out << row.name;
}

Container on_port(Container container, int port) {
  PublishedPort published;
  published.host_port = static_cast<decltype(published.host_port)>(port);
  published.protocol = "tcp";
  container.ports.push_back(published);
  return container;
}

Container named(Container container, const std::string& name) {
  container.name = name;
  return container;
}

const std::string web_on_80 =
    R"("web": {"ports": [{"target": 80, "published": "80", "protocol": "tcp"}]})";
const std::string proxy_of_web = R"("proxy": {"depends_on": ["web"]})";

class Operations : public testing::TestWithParam<PlanCase> {};

TEST_P(Operations, FollowFromThePlanAndFromWhatIsThere) {
  const PlanCase& row = GetParam();
  const Plan plan = plan_of(row.steps);
  const Rendering next = rendering(row.services);
  EXPECT_EQ(text_of(operations_of(plan, next, row.present, false)), row.forward);
  EXPECT_EQ(text_of(operations_of(plan, next, row.present, true)), row.back);
}

INSTANTIATE_TEST_SUITE_P(
    Plans, Operations,
    testing::Values(
        PlanCase{"nothing to do", {{"web", Action::none}}, R"("web": {})", {}, "", ""},
        PlanCase{"an image changed",
                 {{"db", Action::none}, {"web", Action::recreate}},
                 R"("db": {}, "web": {})",
                 {},
                 "apply web",
                 "apply web"},
        PlanCase{"what leaves waits for the gate",
                 {{"old", Action::remove}, {"web", Action::create}},
                 R"("web": {})",
                 {running("old", "o1")},
                 "apply web",
                 "apply web, remove old"},
        PlanCase{"what leaves holds the port",
                 {{"old", Action::remove}, {"web", Action::create}},
                 web_on_80,
                 {on_port(running("old", "o1"), 80)},
                 "make room old, apply web",
                 "make room old, apply web, remove old"},
        PlanCase{"what leaves holds another port",
                 {{"old", Action::remove}, {"web", Action::create}},
                 web_on_80,
                 {on_port(running("old", "o1"), 81)},
                 "apply web",
                 "apply web, remove old"},
        PlanCase{"what leaves holds the name",
                 {{"old", Action::remove}, {"web", Action::create}},
                 R"("web": {"container_name": "site"})",
                 {named(running("old", "o1"), "site")},
                 "make room old, apply web",
                 "make room old, apply web, remove old"},
        PlanCase{"what stays may hold the port",
                 {{"old", Action::none}, {"web", Action::create}},
                 web_on_80,
                 {on_port(running("old", "o1"), 80)},
                 "apply web",
                 "apply web"},
        PlanCase{"what left before it was begun again",
                 {{"old", Action::remove}, {"web", Action::create}},
                 web_on_80,
                 {},
                 "apply web",
                 "apply web, remove old"},
        PlanCase{"a reloaded proxy waits for what is started",
                 {{"proxy", Action::reload}, {"web", Action::recreate}},
                 proxy_of_web + R"(, "web": {})",
                 {},
                 "apply web, await web, reload proxy",
                 "apply web, await web, reload proxy"},
        PlanCase{"a reloaded proxy does not wait for others",
                 {{"db", Action::recreate}, {"proxy", Action::reload}},
                 proxy_of_web + R"(, "web": {}, "db": {})",
                 {},
                 "apply db, reload proxy",
                 "apply db, reload proxy"},
        PlanCase{"a rolled service waits for its job and its database",
                 {{"api", Action::roll}, {"db", Action::recreate}, {"migrate", Action::recreate}},
                 R"("api": {"depends_on": {
                      "migrate": {"condition": "service_completed_successfully"},
                      "db": {"condition": "service_healthy"}}}, "migrate": {}, "db": {})",
                 {},
                 "apply db+migrate, await db+migrate, roll api",
                 "apply db+migrate, await db+migrate, roll api"},
        PlanCase{"a rolled service does not wait for what goes on",
                 {{"api", Action::roll}, {"db", Action::none}},
                 R"("api": {"depends_on": ["db"]}, "db": {})",
                 {},
                 "roll api",
                 "roll api"},
        PlanCase{"rolled after what is applied, each after what it needs",
                 {{"api", Action::roll}, {"base", Action::roll}, {"db", Action::recreate}},
                 R"("api": {"depends_on": ["base"]}, "base": {}, "db": {})",
                 {},
                 "apply db, roll base+api",
                 "apply db, roll base+api"},
        PlanCase{"restarted after whose network it shares",
                 {{"agent", Action::restart}, {"web", Action::restart}},
                 R"("agent": {"depends_on": ["web"]}, "web": {})",
                 {},
                 "restart web+agent",
                 "restart web+agent"},
        PlanCase{"all in their order",
                 {{"a", Action::recreate},
                  {"b", Action::roll},
                  {"c", Action::restart},
                  {"d", Action::reload},
                  {"e", Action::remove}},
                 R"("a": {}, "b": {}, "c": {}, "d": {})",
                 {},
                 "apply a, roll b, restart c, reload d",
                 "apply a, roll b, restart c, reload d, remove e"}));

TEST(DependenciesFirst, EndsWhereTheyGoRound) {
  const Rendering round = rendering(R"("a": {"depends_on": ["b"]}, "b": {"depends_on": ["a"]})");
  EXPECT_EQ(join(dependencies_first({"a", "b"}, round), " "), "a b");
}

// ---- The turns of a roll --------------------------------------------------------------------

struct TurnCase {
  std::string name;
  RollState state;
  RollTurn expected;
};

std::ostream& operator<<(std::ostream& out, const TurnCase& row) {
  return out << row.name;
}

class Turns : public testing::TestWithParam<TurnCase> {};

TEST_P(Turns, FollowFromWhatIsThere) {
  const TurnCase& row = GetParam();
  const RollTurn turn = next_turn(row.state);
  EXPECT_EQ(turn.kind, row.expected.kind);
  EXPECT_EQ(turn.count, row.expected.count);
}

// Leaving, staying, wanted, at a time.
INSTANTIATE_TEST_SUITE_P(
    Rolls, Turns,
    testing::Values(
        TurnCase{"a new one comes first", {1, 0, 1, 1}, {RollTurn::Kind::add, 2}},
        TurnCase{"then the old one goes", {1, 1, 1, 1}, {RollTurn::Kind::prune, 1}},
        TurnCase{"then it is done", {0, 1, 1, 1}, {RollTurn::Kind::finish, 0}},
        TurnCase{"one at a time", {3, 0, 3, 1}, {RollTurn::Kind::add, 4}},
        TurnCase{"and one goes for it", {3, 1, 3, 1}, {RollTurn::Kind::prune, 1}},
        TurnCase{"two at a time", {3, 0, 3, 2}, {RollTurn::Kind::add, 5}},
        TurnCase{"and two go for them", {3, 2, 3, 2}, {RollTurn::Kind::prune, 2}},
        TurnCase{"the last of them", {1, 2, 3, 2}, {RollTurn::Kind::add, 4}},
        TurnCase{"fewer are wanted", {3, 1, 1, 1}, {RollTurn::Kind::prune, 3}},
        TurnCase{"one is missing that was there", {0, 1, 2, 1}, {RollTurn::Kind::add, 2}},
        TurnCase{
            "more than are wanted, none of them old", {0, 3, 2, 1}, {RollTurn::Kind::finish, 0}}));

// ---- Which containers -----------------------------------------------------------------------

std::string ids_of(const std::vector<Container>& containers) {
  std::vector<std::string> ids;
  for (const Container& container : containers) ids.push_back(container.id);
  return join(ids, " ");
}

TEST(HalfMade, IsWhatNeverStartedBesideWhatItWasToReplace) {
  EXPECT_EQ(ids_of(half_made({running("web", "w1"), created("web", "w2")})), "w2");
  EXPECT_EQ(ids_of(half_made({exited("web", "w1", 1), created("web", "w2")})), "w2");
  EXPECT_EQ(ids_of(half_made({created("web", "w1")})), "") << "nothing is beside it";
  EXPECT_EQ(ids_of(half_made({running("db", "d1"), created("web", "w1")})), "");
  Container second = created("web", "w2");
  second.number = 2;
  EXPECT_EQ(ids_of(half_made({running("web", "w1"), second})), "") << "one of two that are wanted";
}

TEST(ReplacedByForce, IsOnlyWhatRanBefore) {
  const Plan plan = plan_of({{"db", Action::none}, {"web", Action::recreate}});
  const RunningSet before = ran(1, {{"db", {"d1"}}, {"web", {"w1"}}});
  EXPECT_TRUE(any_to_replace(plan, before, {running("db", "d1"), running("web", "w1")}));
  EXPECT_FALSE(any_to_replace(plan, before, {running("db", "d1"), running("web", "w2")}))
      << "begun again after it was replaced";
  EXPECT_FALSE(any_to_replace(plan, RunningSet(), {running("web", "w1")})) << "taken over";
}

TEST(Leaving, IsAllOfRolledServicesButWhatIsKept) {
  const std::vector<Container> present{running("api", "a1"), running("api", "a2"),
                                       running("web", "w1")};
  const SeenContainers all{{"api", {"a1", "a2"}}};
  EXPECT_EQ(outgoing_of({"api"}, present, {}), all);
  const SeenContainers newer{{"api", {"a2"}}};
  EXPECT_EQ(outgoing_of({"api"}, present, {{"api", {"a1"}}}), newer);
  EXPECT_EQ(outgoing_of({}, present, {}), SeenContainers());
}

// ---- Mounted files --------------------------------------------------------------------------

ReleaseRecord with_files(int number, const std::string& service, const FileBlobs& files) {
  ReleaseRecord release;
  release.number = number;
  release.mounted_files[service] = files;
  return release;
}

TEST(NewFiles, AreThoseThatDifferFromHowTheServiceRan) {
  const Releases releases{{1, with_files(1, "web", {{"web.conf", "b1"}})}};
  const RunningSet before = ran(1, {{"web", {"w1"}}, {"db", {"d1"}}});
  const std::set<std::string> web{"web"};
  EXPECT_EQ(with_new_files(with_files(2, "web", {{"web.conf", "b2"}}), before, releases), web);
  EXPECT_EQ(with_new_files(with_files(2, "web", {{"web.conf", "b1"}}), before, releases),
            std::set<std::string>());
  EXPECT_EQ(with_new_files(with_files(2, "web", {}), before, releases), web) << "it mounts none";
  EXPECT_EQ(
      with_new_files(with_files(2, "web", {{"web.conf", "b2"}}), ran(0, {{"web", {}}}), releases),
      std::set<std::string>())
      << "how it ran is not known";
}

TEST(FilesToTry, AreWhatIsExchangedUnderAMount) {
  const FileBlobs before{{"conf/a", "1"}, {"conf/b", "1"}, {"main", "1"}};
  const FileBlobs after{{"conf/a", "2"}, {"conf/b", "1"}, {"conf/c", "1"}, {"main", "2"}};
  const std::vector<Mount> mounts{{"bind", "/srv/shop/conf", "/etc/conf", true},
                                  {"bind", "/srv/shop/main", "/etc/main", true},
                                  {"volume", "main", "/data", false}};
  const std::map<std::string, std::string> expected{{"/etc/conf/a", "conf/a"},
                                                    {"/etc/main", "main"}};
  EXPECT_EQ(files_to_try(before, after, mounts, "/srv/shop"), expected);
  const FileBlobs none;
  const std::map<std::string, std::string> itself{{"/etc/main", "main"}};
  EXPECT_EQ(files_to_try(none, after, mounts, "/srv/shop"), itself)
      << "Docker would make new ones in the live folder";
}

// ---- Why a start failed ---------------------------------------------------------------------

struct StartCase {
  std::string name;
  std::vector<Container> present;
  std::string expected;  // whose fault, then who does not work
};

std::ostream& operator<<(std::ostream& out, const StartCase& row) {
  return out << row.name;
}

Container killed_for_memory(Container container) {
  container.oom_killed = true;
  return container;
}

Container sharing(Container container, const std::string& id) {
  container.shares_with = {id};
  return container;
}

Container not_startable(Container container) {
  container.error = "port is taken";
  return container;
}

Container unhealthy(Container container) {
  container.health = Health::unhealthy;
  return container;
}

class FailureOfStart : public testing::TestWithParam<StartCase> {};

TEST_P(FailureOfStart, IsReadOffTheContainers) {
  const StartCase& row = GetParam();
  const Failure failure =
      failure_of_start(Error{Errc::failed, "up failed", {}}, FailureCause::host, row.present);
  std::string told = failure.cause == FailureCause::release ? "release" : "host";
  for (const ServiceFailure& service : failure.services) {
    told += ", " + service.service + ": " + service.reason;
  }
  EXPECT_EQ(told, row.expected);
  EXPECT_EQ(failure.phase, "starting");
  EXPECT_EQ(failure.reason, "up failed");
}

INSTANTIATE_TEST_SUITE_P(
    Containers, FailureOfStart,
    testing::Values(
        StartCase{"all work", {running("web", "w1"), exited("job", "j1", 0)}, "host"},
        StartCase{"one has ended", {exited("web", "w1", 3)}, "host, web: exited with 3"},
        StartCase{"one is unhealthy", {unhealthy(running("web", "w1"))}, "host, web: unhealthy"},
        StartCase{"one cannot be started",
                  {not_startable(created("web", "w1"))},
                  "host, web: port is taken"},
        StartCase{"one whose network another shares has ended by itself",
                  {exited("web", "w1", 3), sharing(created("agent", "a1"), "w1")},
                  "release, web: exited with 3"},
        StartCase{
            "the same, killed for want of memory",
            {killed_for_memory(exited("web", "w1", 137)), sharing(created("agent", "a1"), "w1")},
            "host, web: exited with 137"}));

// ---- Probes ---------------------------------------------------------------------------------

TEST(Probe, AsksAHostWithoutAPath) {
  ProbeSettings settings;
  settings.url = "http://127.0.0.1?ready=1";
  const ProbeAnswer answer = test::await(probe(settings));
  EXPECT_FALSE(answer.ok);
  EXPECT_EQ(answer.what, "cannot connect to 127.0.0.1: Connection refused");
}

// ---- The end of an attempt ------------------------------------------------------------------

ReleaseRecord release_of(int number, const std::string& key, Outcome outcome) {
  ReleaseRecord release;
  release.number = number;
  release.content_key = key;
  release.outcome = outcome;
  return release;
}

struct EndCase {
  std::string name;
  DeploymentEnd end;
  std::optional<FailureCause> failed = {};
  DeploymentKind kind = DeploymentKind::deploy;
  std::string fallback_key = "old";  // "": there is none
  std::string left_key = "old";
  std::string expected;  // what becomes of the release, then what else is written
};

std::ostream& operator<<(std::ostream& out, const EndCase& row) {
  return out << row.name;
}

class EndRecords : public testing::TestWithParam<EndCase> {};

TEST_P(EndRecords, IsWrittenAsItWas) {
  const EndCase& row = GetParam();
  const ReleaseRecord release = release_of(2, "new", Outcome::in_progress);
  const ReleaseRecord fallback = release_of(1, row.fallback_key, Outcome::good);
  const ReleaseRecord left = release_of(3, row.left_key, Outcome::good);
  Deployment deployment;
  deployment.release = 2;
  deployment.kind = row.kind;
  if (row.failed) deployment.failure = Failure{*row.failed, "gating", "web is away", {}, {}};
  EndRecordInput input;
  input.end = row.end;
  input.deployment = &deployment;
  input.release = &release;
  if (!row.fallback_key.empty()) input.fallback = &fallback;
  input.left = &left;
  input.probation = std::chrono::minutes(10);
  input.now = WallTime(std::chrono::hours(1));
  const EndRecord record = end_record_of(input);
  EXPECT_EQ(record.ended.ended_at, input.now);
  std::string told(to_string(record.ended.outcome));
  if (record.ended.failure) told += ", told why";
  if (!record.ended.notices.empty()) told += ", noticed";
  if (record.ended.probation_until) told += ", on probation";
  for (const std::string& key : record.rejects) told += ", rejects " + key;
  if (!record.accepted_content.empty()) told += ", pardons " + record.accepted_content;
  EXPECT_EQ(told, row.expected);
}

constexpr auto by_release = FailureCause::release;
constexpr auto by_host = FailureCause::host;

// What ran for a part of its probation alone begins it anew once it runs again.
TEST(EndRecord, BeginsTheProbationOfWhatIsGoneBackToAnew) {
  const ReleaseRecord release = release_of(2, "new", Outcome::in_progress);
  ReleaseRecord fallback = release_of(1, "old", Outcome::good);
  Deployment deployment;
  deployment.release = 2;
  EndRecordInput input;
  input.deployment = &deployment;
  input.release = &release;
  input.fallback = &fallback;
  input.probation = std::chrono::minutes(10);
  input.now = WallTime(std::chrono::hours(1));
  input.end = DeploymentEnd::rolled_back;
  EXPECT_FALSE(end_record_of(input).runs_again);  // it had passed
  Deployment made_fallback;
  made_fallback.release = 1;
  input.made_fallback = &made_fallback;
  EXPECT_FALSE(end_record_of(input).runs_again);
  made_fallback.probation_until = input.now - std::chrono::minutes(1);
  const EndRecord record = end_record_of(input);
  ASSERT_TRUE(record.runs_again);
  EXPECT_EQ(record.runs_again->release, 1);
  EXPECT_EQ(record.runs_again->probation_until, input.now + input.probation);
  for (const DeploymentEnd end :
       {DeploymentEnd::committed, DeploymentEnd::failed, DeploymentEnd::suspended}) {
    input.end = end;
    EXPECT_FALSE(end_record_of(input).runs_again);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ends, EndRecords,
    testing::Values(EndCase{"good",
                            DeploymentEnd::committed,
                            {},
                            DeploymentKind::deploy,
                            "old",
                            "old",
                            "good, on probation, pardons new"},
                    EndCase{"good, with nothing to go back to",
                            DeploymentEnd::committed,
                            {},
                            DeploymentKind::deploy,
                            "",
                            "old",
                            "good, pardons new"},
                    EndCase{"only recorded",
                            DeploymentEnd::committed,
                            {},
                            DeploymentKind::record_only,
                            "old",
                            "old",
                            "good, pardons new"},
                    EndCase{"rejected", DeploymentEnd::rejected, by_release, DeploymentKind::deploy,
                            "old", "old", "rejected, told why, rejects new"},
                    EndCase{"postponed", DeploymentEnd::postponed, by_host, DeploymentKind::deploy,
                            "old", "old", "postponed, told why"},
                    EndCase{"superseded",
                            DeploymentEnd::superseded,
                            {},
                            DeploymentKind::deploy,
                            "old",
                            "old",
                            "superseded"},
                    EndCase{"rolled back", DeploymentEnd::rolled_back, by_release,
                            DeploymentKind::deploy, "old", "old",
                            "rolled_back, told why, rejects new"},
                    EndCase{"rolled back for the host", DeploymentEnd::rolled_back, by_host,
                            DeploymentKind::deploy, "old", "old", "rolled_back, told why"},
                    EndCase{"a repair that failed", DeploymentEnd::rolled_back, by_release,
                            DeploymentKind::deploy, "new", "old", "rolled_back, told why"},
                    EndCase{"failed", DeploymentEnd::failed, by_release, DeploymentKind::deploy, "",
                            "old", "failed, told why, rejects new"},
                    EndCase{"failed, and nobody knows why any more",
                            DeploymentEnd::failed,
                            {},
                            DeploymentKind::deploy,
                            "",
                            "old",
                            "failed"},
                    EndCase{"an operator went back",
                            DeploymentEnd::committed,
                            {},
                            DeploymentKind::operator_rollback,
                            "old",
                            "bad",
                            "good, rejects bad, pardons new"},
                    EndCase{"an operator went back to the same content",
                            DeploymentEnd::committed,
                            {},
                            DeploymentKind::operator_rollback,
                            "old",
                            "new",
                            "good, pardons new"},
                    EndCase{"an operator could not go back", DeploymentEnd::rolled_back, by_release,
                            DeploymentKind::operator_rollback, "old", "bad",
                            "rolled_back, told why, noticed"}));

}  // namespace
}  // namespace trimtab
