// What a plan says: which services are touched, how, and why.
#include <gtest/gtest.h>

#include "agent/plan/diff.hpp"
#include "tests/lib/records.hpp"

namespace trimtab {
namespace {

using MountedFiles = std::map<std::string, std::map<std::string, std::string>>;

Json json(const std::string& text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Json();
}

std::string digest(char digit) {
  return "sha256:" + std::string(64, digit);
}

// "web[image=… …]" without the noise: a service definition with an image pinned to `digit`.
std::string service(const std::string& name, char digit, const std::string& more = {}) {
  return "\"" + name + "\": {\"image\": \"acme/" + name + "@" + digest(digit) + "\"" +
         (more.empty() ? "" : ", " + more) + "}";
}

Container running(const std::string& service_name, const std::string& id) {
  Container container;
  container.id = id;
  container.service = service_name;
  container.state = ContainerState::running;
  container.health = Health::healthy;
  container.restart_policy = "unless-stopped";
  return container;
}

Container stopped(const std::string& service_name, const std::string& id) {
  Container container = running(service_name, id);
  container.state = ContainerState::exited;
  container.health = Health::none;
  container.exit_code = 137;
  return container;
}

Container job(const std::string& service_name, const std::string& id, int exit_code = 0) {
  Container container = stopped(service_name, id);
  container.restart_policy = "no";
  container.exit_code = exit_code;
  return container;
}

Container unhealthy(const std::string& service_name, const std::string& id) {
  Container container = running(service_name, id);
  container.health = Health::unhealthy;
  return container;
}

Observed observe(std::vector<Container> containers) {
  Observed observed;
  observed.containers = std::move(containers);
  return observed;
}

// "web recreate restart: reason; reason", one a step.
std::vector<std::string> lines(const Plan& plan) {
  std::vector<std::string> all;
  for (const Step& step : plan.steps) {
    std::string line = step.service + " " + std::string(to_string(step.action)) + " " +
                       std::string(to_string(step.risk));
    if (!step.reasons.empty()) line += ": " + join(step.reasons, "; ");
    all.push_back(std::move(line));
  }
  return all;
}

// A release with what a target points to.
struct Deployed {
  ReleaseRecord release;
  Rendering rendering;
  Deployed(const std::string& services, MountedFiles mounted, SeenContainers seen = {},
           std::set<std::string> jobs = {}, const std::string& rest = {}) {
    rendering.model =
        json("{\"services\": {" + services + "}" + (rest.empty() ? "" : ", " + rest) + "}");
    release.number = 1;
    for (const std::string& name : rendering.service_names()) release.images[name];
    release.mounted_files = std::move(mounted);
    release.seen = std::move(seen);
    release.jobs = std::move(jobs);
  }
  [[nodiscard]] Target target() const { return target_of(release, rendering); }
  // It passed its gate; what was touched since was not verified again.
  [[nodiscard]] Base base(const std::set<std::string>& touched = {}) const {
    Base base;
    base.running = test::running_set_of(release);
    for (const std::string& name : touched) base.running.services[name].is_touched = true;
    base.releases[release.number] = {rendering, release.mounted_files};
    return base;
  }
};

// ---- From a release to the next one ---------------------------------------------------------

struct PlanCase {
  std::string name;
  std::string before;  // services of the current release; "-": there is none
  std::string after;
  std::vector<Container> containers;
  std::vector<std::string> expected;
  MountedFiles mounted_before = {};
  MountedFiles mounted_after = {};
  SeenContainers seen = {{"web", {"w1"}}, {"db", {"d1"}}};
  std::set<std::string> jobs = {};
  bool repair = false;
  std::string rest_before = {};  // of the model, beside its services
  std::string rest_after = {};
  std::set<std::string> touched = {};  // by a deployment that did not end well
};

std::ostream& operator<<(std::ostream& out, const PlanCase& row) {
  return out << row.name;
}

class Planner : public testing::TestWithParam<PlanCase> {};

TEST_P(Planner, SaysWhatChangesAndWhy) {
  const PlanCase& row = GetParam();
  const bool first = row.before == "-";
  const Deployed before(first ? "" : row.before, row.mounted_before, row.seen, row.jobs,
                        row.rest_before);
  const Deployed after(row.after, row.mounted_after, {}, {}, row.rest_after);
  const Plan plan = make_plan(after.target(), first ? Base() : before.base(row.touched),
                              observe(row.containers), row.repair);
  EXPECT_EQ(lines(plan), row.expected);
}

std::string with_environment(const std::string& environment, const std::string& name = "web") {
  return service(name, 'a', "\"environment\": " + environment);
}

const std::string web_a = service("web", 'a');
const std::string db_a = service("db", 'a', R"("volumes": ["data:/var/lib/postgresql/data:rw"])");
const std::string db_b = service("db", 'b', R"("volumes": ["data:/var/lib/postgresql/data:rw"])");

INSTANTIATE_TEST_SUITE_P(
    Definitions, Planner,
    testing::Values(
        PlanCase{"SameAsBefore", web_a, web_a, {running("web", "w1")}, {"web none none"}},
        PlanCase{"OtherOrderOfKeys",
                 R"("web": {"image": "a@sha256:1", "labels": {"x": "1", "y": "2"}})",
                 R"("web": {"labels": {"y": "2", "x": "1"}, "image": "a@sha256:1"})",
                 {running("web", "w1")},
                 {"web none none"}},
        PlanCase{"ImageOfTheSameName",
                 web_a + ", " + db_a,
                 service("web", 'b') + ", " + db_a,
                 {running("web", "w1"), running("db", "d1")},
                 {"db none none", "web recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…"}},
        PlanCase{"ImageOfAnotherName",
                 R"("web": {"image": "nginx@sha256:1"})",
                 R"("web": {"image": "caddy@sha256:1"})",
                 {running("web", "w1")},
                 {"web recreate restart: image nginx → caddy"}},
        PlanCase{"ImageBuiltHereToOneOfARegistry",
                 "\"web\": {\"image\": \"" + digest('c') + "\"}",
                 R"("web": {"image": "acme/web@sha256:1"})",
                 {running("web", "w1")},
                 {"web recreate restart: image cccccccccccc… → acme/web"}},
        PlanCase{"ImageBuiltHereAnew",
                 "\"web\": {\"image\": \"" + digest('c') + "\"}",
                 "\"web\": {\"image\": \"" + digest('d') + "\"}",
                 {running("web", "w1")},
                 {"web recreate restart: image cccccccccccc… → dddddddddddd…"}},
        PlanCase{"KeepsDataInAVolume",
                 db_a,
                 db_b,
                 {running("db", "d1")},
                 {"db recreate data: image aaaaaaaaaaaa… → bbbbbbbbbbbb…"}},
        PlanCase{"KeysAddedRemovedAndChanged",
                 service("web", 'a', R"("command": ["a"], "init": true)"),
                 service("web", 'a', R"("command": ["b"], "user": "app")"),
                 {running("web", "w1")},
                 {"web recreate restart: command changed; init removed; user added"}},
        PlanCase{"OrderOfStartingOnly",
                 service("web", 'a', R"("depends_on": {"db": {"condition": "service_started"}})"),
                 service("web", 'a', R"("depends_on": {"db": {"condition": "service_healthy"}})"),
                 {running("web", "w1")},
                 {"web none none"}},
        PlanCase{"ProfilesOnly",
                 web_a,
                 service("web", 'a', R"("profiles": ["prod"])"),
                 {running("web", "w1")},
                 {"web none none"}},
        PlanCase{"OurOwnSettingsOnly",
                 web_a,
                 service("web", 'a', R"("x-trimtab": {"reload": {"signal": "HUP"}})"),
                 {running("web", "w1")},
                 {"web none none"}},
        PlanCase{"ASecretThatItDoesNotUse",
                 web_a,
                 web_a,
                 {running("web", "w1")},
                 {"web none none"},
                 {},
                 {},
                 {{"web", {"w1"}}},
                 {},
                 false,
                 R"("secrets": {"pw": {"file": "/srv/shop/a"}})",
                 R"("secrets": {"pw": {"file": "/srv/shop/b"}})"},
        PlanCase{"ANetworkThatItIsNotIn",
                 service("web", 'a', R"("networks": {"inner": null})"),
                 service("web", 'a', R"("networks": {"inner": null})"),
                 {running("web", "w1")},
                 {"web none none"},
                 {},
                 {},
                 {{"web", {"w1"}}},
                 {},
                 false,
                 R"("networks": {"default": {"name": "a"}, "inner": {"name": "i"}})",
                 R"("networks": {"default": {"name": "b"}, "inner": {"name": "i"}})"},
        PlanCase{"ANetworkThatItIsIn",
                 service("web", 'a', R"("networks": ["inner"])"),
                 service("web", 'a', R"("networks": ["inner"])"),
                 {running("web", "w1")},
                 {"web recreate restart: network changed: inner"},
                 {},
                 {},
                 {{"web", {"w1"}}},
                 {},
                 false,
                 R"("networks": {"inner": {"name": "i"}})",
                 R"("networks": {"inner": {"name": "j"}})"},
        PlanCase{"TheNetworkThatIsImplied",
                 web_a,
                 web_a,
                 {running("web", "w1")},
                 {"web recreate restart: network changed: default"},
                 {},
                 {},
                 {{"web", {"w1"}}},
                 {},
                 false,
                 R"("networks": {"default": {"name": "a"}})",
                 R"("networks": {"default": {"name": "b"}})"},
        PlanCase{
            "ConfigsAndSecretsThatItUses",
            service("web", 'a', R"("secrets": ["pw"], "configs": [{"source": "conf"}])"),
            service("web", 'a', R"("secrets": ["pw"], "configs": [{"source": "conf"}])"),
            {running("web", "w1")},
            {"web recreate restart: config changed: conf; secret changed: pw"},
            {},
            {},
            {{"web", {"w1"}}},
            {},
            false,
            R"("secrets": {"pw": {"file": "/srv/shop/a"}}, "configs": {"conf": {"content": "1"}})",
            R"("secrets": {"pw": {"file": "/srv/shop/b"}}, "configs": {"conf": {"content": "2"}})"}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    EnvironmentNamesOnly, Planner,
    testing::Values(
        PlanCase{"ValuesOfSecretsChange",
                 with_environment(R"({"SECRET_KEY": "hunter2", "PORT": "80", "OLD": "x"})"),
                 with_environment(R"({"SECRET_KEY": "correct horse", "PORT": "80", "NEW": "y"})"),
                 {running("web", "w1")},
                 {"web recreate restart: environment changed: NEW, SECRET_KEY, OLD"}},
        PlanCase{"ListsOfAssignments",
                 with_environment(R"(["SECRET_KEY=hunter2", "A=b=c"])"),
                 with_environment(R"(["SECRET_KEY=other", "A=b=c"])"),
                 {running("web", "w1")},
                 {"web recreate restart: environment changed: SECRET_KEY"}},
        PlanCase{"AListAndAMapOfTheSame",
                 with_environment(R"(["A=1", "B", "C="])"),
                 with_environment(R"({"A": 1, "B": null, "C": ""})"),
                 {running("web", "w1")},
                 {"web none none"}},
        PlanCase{"UnsetIsNotEmpty",
                 with_environment(R"({"A": null})"),
                 with_environment(R"({"A": ""})"),
                 {running("web", "w1")},
                 {"web recreate restart: environment changed: A"}},
        PlanCase{"TheWholeEnvironmentIsNew",
                 web_a,
                 with_environment(R"({"TOKEN": "hunter2"})"),
                 {running("web", "w1")},
                 {"web recreate restart: environment changed: TOKEN"}},
        PlanCase{"TheWholeEnvironmentGoes",
                 with_environment(R"({"TOKEN": "hunter2"})"),
                 web_a,
                 {running("web", "w1")},
                 {"web recreate restart: environment changed: TOKEN"}},
        PlanCase{"AnEmptyOneIsNone",
                 with_environment("{}"),
                 web_a,
                 {running("web", "w1")},
                 {"web none none"}}),
    testing::PrintToStringParamName());

const MountedFiles conf_1 = {{"web", {{"nginx.conf", "blob1"}, {"conf/a", "blob1"}}}};
const MountedFiles conf_2 = {{"web", {{"nginx.conf", "blob2"}, {"conf/a", "blob1"}}}};

INSTANTIATE_TEST_SUITE_P(
    MountedFiles, Planner,
    testing::Values(
        PlanCase{"ChangedRestartsThatServiceOnly",
                 web_a + ", " + db_a,
                 web_a + ", " + db_a,
                 {running("web", "w1"), running("db", "d1")},
                 {"db none none", "web restart restart: mounted file changed: nginx.conf"},
                 conf_1,
                 conf_2},
        PlanCase{"AddedAndRemoved",
                 web_a,
                 web_a,
                 {running("web", "w1")},
                 {"web restart restart: mounted file added: new; mounted file removed: conf/a; "
                  "mounted file removed: nginx.conf"},
                 conf_1,
                 {{"web", {{"new", "blob3"}}}}},
        PlanCase{"DefinitionsCountMore",
                 web_a,
                 service("web", 'b'),
                 {running("web", "w1")},
                 {"web recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…"},
                 conf_1,
                 conf_2},
        PlanCase{"OfAServiceWithoutContainer",
                 web_a,
                 web_a,
                 {},
                 {"web create none: mounted file changed: nginx.conf"},
                 conf_1,
                 conf_2},
        PlanCase{"OfAServiceThatWasStoppedByHand",
                 web_a,
                 web_a,
                 {stopped("web", "w1")},
                 {"web none none: stopped manually"},
                 conf_1,
                 conf_2}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    WhatRuns, Planner,
    testing::Values(PlanCase{"NewService",
                             web_a,
                             web_a + ", " + service("worker", 'a'),
                             {running("web", "w1")},
                             {"web none none", "worker create none: new"}},
                    PlanCase{"RemovedService",
                             web_a + ", " + db_a,
                             web_a,
                             {running("web", "w1"), running("db", "d1")},
                             {"db remove restart: removed from the compose file", "web none none"}},
                    PlanCase{"RemovedServiceThatDoesNotRun",
                             web_a + ", " + db_a,
                             web_a,
                             {running("web", "w1")},
                             {"web none none"}},
                    PlanCase{"NothingWasEverDeployed",
                             "-",
                             web_a + ", " + db_a,
                             {},
                             {"db create none: new", "web create none: new"}},
                    PlanCase{"TakesOverWhatRuns",
                             "-",
                             web_a + ", " + db_a,
                             {running("web", "w1"), running("db", "d1")},
                             {"db recreate data: started manually, taken over",
                              "web recreate restart: started manually, taken over"}},
                    PlanCase{"StoppedByHandStays",
                             web_a + ", " + db_a,
                             service("web", 'b') + ", " + db_a,
                             {running("web", "w1"), stopped("db", "d1")},
                             {"db none none: stopped manually",
                              "web recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…"}},
                    PlanCase{"StoppedByHandStaysEvenWhenAnOperatorDeploys",
                             web_a,
                             web_a,
                             {stopped("web", "w1")},
                             {"web none none: stopped manually"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             true},
                    PlanCase{"StoppedByHandButChangedInGit",
                             web_a,
                             service("web", 'b'),
                             {stopped("web", "w1")},
                             {"web recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…"}},
                    PlanCase{"OneReplicaOfTwoStoppedIsNoServiceStoppedByHand",
                             web_a,
                             web_a,
                             {running("web", "w1"), stopped("web", "w2")},
                             {"web none none"},
                             {},
                             {},
                             {{"web", {"w1", "w2"}}}},
                    PlanCase{"ReplacedByHandIsLeft",
                             web_a,
                             web_a,
                             {running("web", "w9")},
                             {"web none none: its container was replaced manually"}},
                    PlanCase{"ReplacedByHandIsPutBackOnDemand",
                             web_a,
                             web_a,
                             {running("web", "w9")},
                             {"web recreate restart: its container was replaced manually"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             true},
                    PlanCase{"RemovedByHandIsLeft",
                             web_a,
                             web_a,
                             {},
                             {"web none none: its container was removed manually"}},
                    PlanCase{"RemovedByHandIsPutBackOnDemand",
                             web_a,
                             web_a,
                             {},
                             {"web create none: its container was removed manually"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             true},
                    PlanCase{"StartedByHandWhereThereWasNone",
                             web_a,
                             web_a,
                             {running("web", "w1")},
                             {"web none none: its container was started manually"},
                             {},
                             {},
                             {{"other", {"o1"}}}}),
    testing::PrintToStringParamName());

constexpr const char* with_start_first = R"("deploy": {"update_config": {"order": "start-first"}})";

Container starting(const std::string& service_name, const std::string& id) {
  Container container = running(service_name, id);
  container.health = Health::starting;
  return container;
}

// What a deployment that did not end well may have changed.
INSTANTIATE_TEST_SUITE_P(
    NotVerified, Planner,
    testing::Values(PlanCase{"OtherContainersAreAppliedThoughTheyRun",
                             web_a + ", " + db_a,
                             web_a + ", " + db_a,
                             {running("web", "w2"), running("db", "d1")},
                             {"db none none",
                              "web recreate restart: left by a deployment that failed"},
                             {},
                             {},
                             {{"web", {"w1"}}, {"db", {"d1"}}},
                             {},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"TheSameContainersAreWhatTheyWere",
                             web_a,
                             web_a,
                             {running("web", "w1")},
                             {"web none none"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"TheSameContainersOfWhatIsNotWantedAreReplaced",
                             web_a,
                             service("web", 'b'),
                             {running("web", "w1")},
                             {"web recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"TheSameContainersMayHaveReadOtherFiles",
                             web_a,
                             web_a,
                             {running("web", "w1")},
                             {"web restart restart: may have read other mounted files"},
                             conf_1,
                             conf_1,
                             {{"web", {"w1"}}},
                             {},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"AJobThatHadDoneItsWorkIsNotRunAgain",
                             service("web", 'a'),
                             service("web", 'a'),
                             {job("web", "w1")},
                             {"web none none"},
                             conf_1,
                             conf_1,
                             {{"web", {"w1"}}},
                             {"web"},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"MissingOnesAreMade",
                             web_a,
                             web_a,
                             {},
                             {"web create none: left by a deployment that failed"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"StoppedOnesAreStarted",
                             web_a,
                             web_a,
                             {stopped("web", "w2")},
                             {"web recreate restart: left by a deployment that failed"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"NoReleaseWasEverVerified",
                             web_a,
                             web_a,
                             {running("web", "w1")},
                             {"web recreate restart: left by a deployment that failed"},
                             {},
                             {},
                             {},
                             {},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"StartFirstIsRolledWhereOneWorks",
                             service("web", 'a', with_start_first),
                             service("web", 'a', with_start_first),
                             {running("web", "w1"), starting("web", "w2")},
                             {"web roll none: left by a deployment that failed"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             false,
                             {},
                             {},
                             {"web"}},
                    PlanCase{"StartFirstThatOnlyStartsSlowlyIsLeftToCompose",
                             service("web", 'a', with_start_first),
                             service("web", 'a', with_start_first),
                             {starting("web", "w2")},
                             {"web recreate restart: left by a deployment that failed"},
                             {},
                             {},
                             {{"web", {"w1"}}},
                             {},
                             false,
                             {},
                             {},
                             {"web"}}),
    testing::PrintToStringParamName());

TEST(Plan, StartsFromTheReleaseThatEachServiceWasVerifiedToRun) {
  const Deployed older(web_a + ", " + db_a, {}, {{"web", {"w1"}}, {"db", {"d1"}}});
  const Deployed next(service("web", 'b') + ", " + db_a, {});
  Base base = older.base();
  base.releases[2] = {next.rendering, {}};
  base.running.services["db"].release = 2;
  const Observed observed = observe({running("web", "w1"), running("db", "d1")});
  EXPECT_EQ(lines(make_plan(next.target(), base, observed, false)),
            (std::vector<std::string>{
                "db none none", "web recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…"}));
  // Nothing can be compared with a release that cannot be read any more.
  base.releases.erase(1);
  EXPECT_EQ(lines(make_plan(next.target(), base, observed, false)),
            (std::vector<std::string>{"db none none",
                                      "web recreate restart: left by a deployment that failed"}));
}

INSTANTIATE_TEST_SUITE_P(
    Jobs, Planner,
    testing::Values(PlanCase{"FinishedIsNotRunAgain",
                             service("migrate", 'a'),
                             service("migrate", 'a'),
                             {job("migrate", "m1")},
                             {"migrate none none"},
                             {},
                             {},
                             {{"migrate", {"m1"}}},
                             {"migrate"},
                             true},
                    PlanCase{"FinishedAndTidiedAwayIsNotRunAgain",
                             service("migrate", 'a'),
                             service("migrate", 'a'),
                             {},
                             {"migrate none none"},
                             {},
                             {},
                             {{"migrate", {"m1"}}},
                             {"migrate"},
                             true},
                    PlanCase{"ChangedIsRunAgain",
                             service("migrate", 'a'),
                             service("migrate", 'b'),
                             {job("migrate", "m1")},
                             {"migrate recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…"},
                             {},
                             {},
                             {{"migrate", {"m1"}}},
                             {"migrate"}}),
    testing::PrintToStringParamName());

// ---- Services that share ----------------------------------------------------------------------

Container sharing(const std::string& service_name, const std::string& id, const std::string& with) {
  Container container = running(service_name, id);
  container.shares_with = {with};
  return container;
}

Container with_volume_of_image(Container container) {
  container.volumes["/data"] = std::string(64, 'c');
  return container;
}

std::string app(const std::string& more) {
  return service("app", 'a', more);
}

const std::string web_b = service("web", 'b');
const std::string in_webs_network = app(R"("network_mode": "service:web")");
const SeenContainers web_and_app = {{"web", {"w1"}}, {"app", {"a1"}}};
const std::string new_web = "web recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…";

// web, of which another image comes, and one service that is tied to it.
PlanCase tied(const std::string& name, const std::string& more, const std::string& expected) {
  return PlanCase{name,
                  web_a + ", " + app(more),
                  web_b + ", " + app(more),
                  {running("web", "w1"), running("app", "a1")},
                  {expected, new_web},
                  {},
                  {},
                  web_and_app};
}

INSTANTIATE_TEST_SUITE_P(
    Dependants, Planner,
    testing::Values(
        tied("SharesTheNetwork", R"("network_mode": "service:web")",
             "app recreate restart: goes with web: shares its network"),
        tied("SharesTheNetworkAsNewComposeWritesIt",
             R"("network_mode": "service:web", "depends_on": {"web": {"condition":
             "service_started", "restart": true, "required": true}})",
             "app recreate restart: goes with web: shares its network"),
        tied("SharesTheMemory", R"("ipc": "service:web")",
             "app recreate restart: goes with web: shares its memory"),
        tied("SharesTheProcesses", R"("pid": "service:web")",
             "app recreate restart: goes with web: shares its processes"),
        tied("MountsItsVolumes", R"("volumes_from": ["web:ro"])",
             "app recreate restart: goes with web: mounts its volumes"),
        tied("AsksToBeRestarted",
             R"("depends_on": {"web": {"condition": "service_started", "restart": true}})",
             "app restart restart: goes with web: it is restarted with it"),
        tied("OnlyStartsAfterIt", R"("depends_on": {"web": {"condition": "service_started"}})",
             "app none none"),
        tied("SharesWithTheHost", R"("network_mode": "host", "pid": "host", "ipc": "shareable")",
             "app none none"),
        tied("SharesWithWhatIsNotOfTheProject", R"("network_mode": "container:other")",
             "app none none"),
        PlanCase{"ByTheNameOfItsContainer",
                 service("web", 'a', R"("container_name": "my-web")") + ", " +
                     app(R"("network_mode": "container:my-web")"),
                 service("web", 'b', R"("container_name": "my-web")") + ", " +
                     app(R"("network_mode": "container:my-web")"),
                 {running("web", "w1"), running("app", "a1")},
                 {"app recreate restart: goes with web: shares its network", new_web},
                 {},
                 {},
                 web_and_app},
        PlanCase{"OfARestartIsARestart",
                 web_a + ", " + in_webs_network,
                 web_a + ", " + in_webs_network,
                 {running("web", "w1"), running("app", "a1")},
                 {"app restart restart: goes with web: shares its network",
                  "web restart restart: mounted file changed: nginx.conf"},
                 conf_1,
                 conf_2,
                 web_and_app},
        PlanCase{"NewContainersDoNotJoinWhatIsRestartedLater",
                 web_a + ", " + in_webs_network,
                 web_a + ", " + service("app", 'b', R"("network_mode": "service:web")"),
                 {running("web", "w1"), running("app", "a1")},
                 {"app recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…",
                  "web recreate restart: mounted file changed: nginx.conf"},
                 conf_1,
                 conf_2,
                 web_and_app},
        PlanCase{"OfWhatIsTiedToThemself",
                 web_a + ", " + in_webs_network + ", " +
                     service("log", 'a', R"("volumes_from": ["app"])"),
                 web_b + ", " + in_webs_network + ", " +
                     service("log", 'a', R"("volumes_from": ["app"])"),
                 {running("web", "w1"), running("app", "a1"), running("log", "l1")},
                 {"app recreate restart: goes with web: shares its network",
                  "log recreate restart: goes with app: mounts its volumes", new_web},
                 {},
                 {},
                 {{"web", {"w1"}}, {"app", {"a1"}}, {"log", {"l1"}}}},
        PlanCase{"WhatWasStoppedByHandStays",
                 web_a + ", " + in_webs_network,
                 web_b + ", " + in_webs_network,
                 {running("web", "w1"), stopped("app", "a1")},
                 {"app none none: stopped manually", new_web},
                 {},
                 {},
                 web_and_app},
        PlanCase{"AJobIsNotRunAgain",
                 web_a + ", " + in_webs_network,
                 web_b + ", " + in_webs_network,
                 {running("web", "w1"), job("app", "a1")},
                 {"app none none", new_web},
                 {},
                 {},
                 web_and_app,
                 {"app"}},
        PlanCase{"WhatIsSharedIsThere",
                 web_a + ", " + in_webs_network,
                 web_a + ", " + in_webs_network,
                 {running("web", "w1"), sharing("app", "a1", "w1")},
                 {"app none none", "web none none"},
                 {},
                 {},
                 web_and_app,
                 {},
                 true},
        PlanCase{
            "WhatWasSharedIsGone",
            web_a + ", " + in_webs_network,
            web_a + ", " + in_webs_network,
            {running("web", "w1"), sharing("app", "a1", "w0")},
            {"app recreate restart: the container whose network or processes it shares is gone",
             "web none none"},
            {},
            {},
            web_and_app,
            {},
            true},
        PlanCase{"VolumeOfItsImage",
                 web_a + ", " + in_webs_network,
                 web_b + ", " + in_webs_network,
                 {running("web", "w1"), with_volume_of_image(running("app", "a1"))},
                 {"app recreate data: goes with web: shares its network", new_web},
                 {},
                 {},
                 web_and_app},
        PlanCase{"VolumeOfTheImageOfWhatItIsTiedTo",
                 web_a + ", " + in_webs_network,
                 web_a + ", " + service("app", 'b', R"("network_mode": "service:web")"),
                 {with_volume_of_image(running("web", "w1")), running("app", "a1")},
                 {"app recreate restart: image aaaaaaaaaaaa… → bbbbbbbbbbbb…",
                  "web recreate data: mounted file changed: nginx.conf"},
                 conf_1,
                 conf_2,
                 web_and_app},
        PlanCase{"VolumeOfItsImageWhereWhatWasSharedIsGone",
                 web_a + ", " + in_webs_network,
                 web_a + ", " + in_webs_network,
                 {running("web", "w1"), with_volume_of_image(sharing("app", "a1", "w0"))},
                 {"app recreate data: the container whose network or processes it shares is gone",
                  "web none none"},
                 {},
                 {},
                 web_and_app,
                 {},
                 true}),
    testing::PrintToStringParamName());

TEST(Plan, NeverTellsAValueOfTheEnvironment) {
  const std::string secret = "hunter2-and-more";
  const Deployed before(with_environment(R"({"A": ")" + secret + R"(", "B": "1"})"), {},
                        {{"web", {"w1"}}});
  const Deployed after(with_environment(R"({"A": "else", "C": ")" + secret + R"("})"), {});
  for (const bool forwards : {true, false}) {
    const Target next = after.target();
    const Plan plan = forwards
                          ? make_plan(next, before.base(), observe({running("web", "w1")}), true)
                          : make_return_plan(next, before.base(), observe({running("web", "w1")}));
    ASSERT_EQ(plan.steps.size(), 1U);
    EXPECT_EQ(join(plan.steps[0].reasons, "|").find(secret), std::string::npos);
    EXPECT_EQ(join(plan.steps[0].reasons, "|").find("else"), std::string::npos);
  }
}

TEST(Plan, AppliesOnlyWhatIsCreatedOrReplaced) {
  Plan plan;
  plan.steps = {{"a", Action::recreate, Risk::restart, {}},
                {"b", Action::create, Risk::none, {}},
                {"c", Action::restart, Risk::restart, {}},
                {"d", Action::remove, Risk::restart, {}},
                {"e", Action::none, Risk::none, {"stopped manually"}}};
  EXPECT_EQ(plan.to_apply(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(plan.with(Action::restart), std::vector<std::string>{"c"});
  EXPECT_FALSE(plan.empty());
  plan.steps = {{"e", Action::none, Risk::none, {"stopped manually"}}};
  EXPECT_TRUE(plan.empty());
}

TEST(Plan, ReadsBackTheWordsOfActionsAndRisks) {
  for (const Action action :
       {Action::none, Action::create, Action::recreate, Action::restart, Action::remove}) {
    EXPECT_EQ(action_from(to_string(action)), action);
  }
  for (const Risk risk : {Risk::none, Risk::restart, Risk::data}) {
    EXPECT_EQ(risk_from(to_string(risk)), risk);
  }
  EXPECT_EQ(action_from("explode"), Action::none);
}

// ---- Going back -----------------------------------------------------------------------------

struct BackCase {
  std::string name;
  std::string good;
  Plan failed;
  std::vector<Container> containers;
  std::vector<std::string> expected;
  SeenContainers seen = {{"web", {"w1"}}, {"db", {"d1"}}};
  std::set<std::string> jobs = {};
  MountedFiles mounted = {};
  std::set<std::string> already_failing = {};
};

std::ostream& operator<<(std::ostream& out, const BackCase& row) {
  return out << row.name;
}

Plan plan_of(std::vector<std::pair<std::string, Action>> actions) {
  Plan plan;
  for (auto& [name, action] : actions) plan.steps.push_back({name, action, Risk::none, {}});
  return plan;
}

class Rollback : public testing::TestWithParam<BackCase> {};

TEST_P(Rollback, PutsBackWhatTheFailedReleaseTouched) {
  const BackCase& row = GetParam();
  const Deployed good(row.good, row.mounted, row.seen, row.jobs);
  std::set<std::string> touched;
  for (const Step& step : row.failed.steps) {
    if (step.action != Action::none) touched.insert(step.service);
  }
  const Plan plan = make_rollback_plan(good.target(), good.base(touched), row.failed,
                                       row.already_failing, observe(row.containers));
  EXPECT_EQ(lines(plan), row.expected);
}

INSTANTIATE_TEST_SUITE_P(
    FailedReleases, Rollback,
    testing::Values(
        BackCase{
            "ReplacedAContainer",
            web_a + ", " + db_a,
            plan_of({{"web", Action::recreate}, {"db", Action::none}}),
            {running("web", "w2"), running("db", "d1")},
            {"db none none", "web recreate restart: put back; left by a deployment that failed"}},
        BackCase{"ReplacedOneThatKeepsData",
                 db_a,
                 plan_of({{"db", Action::recreate}}),
                 {running("db", "d2")},
                 {"db recreate data: put back; left by a deployment that failed"}},
        BackCase{"LeftAServiceWithoutContainer",
                 web_a,
                 plan_of({{"web", Action::recreate}}),
                 {},
                 {"web create none: put back; left by a deployment that failed"}},
        BackCase{"DidNotTouchWhatLostItsContainerMeanwhile",
                 web_a + ", " + db_a,
                 plan_of({{"web", Action::recreate}, {"db", Action::none}}),
                 {running("web", "w2")},
                 {"db create none: put back; its container was removed manually",
                  "web recreate restart: put back; left by a deployment that failed"}},
        BackCase{"DidNotTouchWhatHadNoContainerBefore",
                 web_a + ", " + db_a,
                 plan_of({{"web", Action::recreate}, {"db", Action::none}}),
                 {running("web", "w2")},
                 {"db none none: its container was removed manually",
                  "web recreate restart: put back; left by a deployment that failed"},
                 {{"web", {"w1"}}, {"db", {"d1"}}},
                 {},
                 {},
                 {"db"}},
        BackCase{
            "FailedBeforeItCameToThatService",
            web_a + ", " + db_a,
            plan_of({{"web", Action::recreate}, {"db", Action::recreate}}),
            {running("web", "w2"), running("db", "d1")},
            {"db none none", "web recreate restart: put back; left by a deployment that failed"}},
        BackCase{"RestartedForAMountedFile",
                 web_a,
                 plan_of({{"web", Action::restart}}),
                 {running("web", "w1")},
                 {"web restart restart: mounted files put back; may have read other mounted files"},
                 {{"web", {"w1"}}, {"db", {"d1"}}},
                 {},
                 conf_1},
        BackCase{"WasCutOffBetweenTheStopAndTheStartOfARestart",
                 web_a,
                 plan_of({{"web", Action::restart}}),
                 {stopped("web", "w1")},
                 {"web restart restart: mounted files put back; may have read other mounted files"},
                 {{"web", {"w1"}}, {"db", {"d1"}}},
                 {},
                 conf_1},
        BackCase{"WasCutOffInARestartThatNoFileWasTheReasonOf",
                 web_a,
                 plan_of({{"web", Action::restart}}),
                 {stopped("web", "w1")},
                 {"web restart restart: put back; does not work"}},
        BackCase{"LeftAloneWhatSomebodyHadStopped",
                 web_a + ", " + db_a,
                 plan_of({{"web", Action::restart}, {"db", Action::none}}),
                 {running("web", "w1"), stopped("db", "d1")},
                 {"db none none: stopped manually", "web none none"}},
        BackCase{"AddedAService",
                 web_a,
                 plan_of({{"web", Action::none}, {"worker", Action::create}}),
                 {running("web", "w1"), running("worker", "x1")},
                 {"web none none", "worker remove none: not in the release that is restored"}},
        BackCase{"HadRemovedAService",
                 web_a + ", " + db_a,
                 plan_of({{"web", Action::none}, {"db", Action::remove}}),
                 {running("web", "w1")},
                 {"db create none: put back; left by a deployment that failed", "web none none"}},
        BackCase{"RanAChangedJob",
                 service("migrate", 'a') + ", " + web_a,
                 plan_of({{"migrate", Action::recreate}, {"web", Action::recreate}}),
                 {job("migrate", "m2", 1), running("web", "w1")},
                 {"migrate remove none: a job that had finished before", "web none none"},
                 {{"migrate", {"m1"}}, {"web", {"w1"}}},
                 {"migrate"}},
        BackCase{"RanAJobWhoseContainerWasGoneBefore",
                 service("migrate", 'a'),
                 plan_of({{"migrate", Action::recreate}}),
                 {job("migrate", "m2")},
                 {"migrate remove none: a job that had finished before"},
                 {{"web", {"w1"}}},
                 {"migrate"}},
        BackCase{"DidNotTouchTheJob",
                 service("migrate", 'a'),
                 plan_of({{"migrate", Action::none}}),
                 {},
                 {"migrate none none"},
                 {{"migrate", {"m1"}}},
                 {"migrate"}},
        BackCase{"DidNotTouchWhatWasReplacedByHand",
                 web_a + ", " + db_a,
                 plan_of({{"web", Action::recreate}, {"db", Action::none}}),
                 {running("web", "w2"), running("db", "by-hand")},
                 {"db none none: its container was replaced manually",
                  "web recreate restart: put back; left by a deployment that failed"}},
        BackCase{"StartedAServiceOfWhichTheGoodOneHasNoContainer",
                 web_a,
                 plan_of({{"web", Action::recreate}}),
                 {running("web", "w2")},
                 {"web recreate restart: put back; left by a deployment that failed"},
                 {{"db", {"d1"}}}},
        BackCase{"HadReplacedWhatOthersShare",
                 web_a + ", " + in_webs_network,
                 plan_of({{"web", Action::recreate}, {"app", Action::recreate}}),
                 {running("web", "w2"), running("app", "a1")},
                 {"app recreate restart: put back; goes with web: shares its network",
                  "web recreate restart: put back; left by a deployment that failed"},
                 {{"web", {"w1"}}, {"app", {"a1"}}}},
        BackCase{"NothingIsKnownOfTheGoodOne",
                 web_a + ", " + db_a,
                 plan_of({{"web", Action::recreate}, {"db", Action::none}}),
                 {running("web", "w2"), running("db", "d1")},
                 {"db recreate data: put back; started manually, taken over",
                  "web recreate restart: put back; left by a deployment that failed"},
                 {}}),
    testing::PrintToStringParamName());

TEST(ReturnPlan, DoesNotRunAJobAgainThatHadDoneItsWork) {
  const Deployed older(service("migrate", 'a') + ", " + web_a, {},
                       {{"migrate", {"m1"}}, {"web", {"w1"}}}, {"migrate"});
  const Deployed now(service("migrate", 'b') + ", " + service("web", 'b'), {},
                     {{"migrate", {"m2"}}, {"web", {"w2"}}}, {"migrate"});
  const Plan plan = make_return_plan(older.target(), now.base(),
                                     observe({job("migrate", "m2"), running("web", "w2")}));
  EXPECT_EQ(lines(plan), (std::vector<std::string>{
                             "migrate remove none: a job that had finished before",
                             "web recreate restart: image bbbbbbbbbbbb… → aaaaaaaaaaaa…"}));
}

TEST(ReturnPlan, LeavesAloneWhatIsTheSameInBoth) {
  const Deployed older(web_a + ", " + db_a, {}, {{"web", {"w1"}}, {"db", {"d1"}}});
  const Deployed now(service("web", 'b') + ", " + db_a, {}, {{"web", {"w2"}}, {"db", {"d1"}}});
  const Plan plan = make_return_plan(older.target(), now.base(),
                                     observe({running("web", "w2"), running("db", "d1")}));
  EXPECT_EQ(plan.to_apply(), std::vector<std::string>{"web"});
}

TEST(RollbackPlan, PutsBackWhatDiffersFromTheReleaseThatRunsNow) {
  const Deployed good(web_a + ", " + db_a, {}, {{"web", {"w1"}}, {"db", {"d1"}}});
  Deployed now(service("web", 'b') + ", " + db_a, {}, {{"web", {"w2"}}, {"db", {"d1"}}});
  now.release.number = 2;
  // The record of its plan need not say so.
  const Plan plan = make_rollback_plan(good.target(), now.base(), Plan(), {},
                                       observe({running("web", "w2"), running("db", "d1")}));
  EXPECT_EQ(
      lines(plan),
      (std::vector<std::string>{
          "db none none", "web recreate restart: put back; image bbbbbbbbbbbb… → aaaaaaaaaaaa…"}));
}

// ---- What runs once a release has passed its gate -------------------------------------------

TEST(RunningAfter, NamesWhatEachServiceWasVerifiedToRun) {
  ReleaseRecord next;
  next.number = 2;
  for (const char* name : {"web", "db", "api", "migrate", "tidied", "idle"}) next.images[name];
  next.jobs = {"tidied"};
  RunningSet before;
  before.release = 1;
  before.services = {{"web", {1, {"w1"}, false, true}},
                     {"db", {1, {"d1"}, false, false}},
                     {"api", {1, {"a1"}, false, false}},
                     {"migrate", {1, {"m1"}, true, false}},
                     {"gone", {1, {"g1"}, false, true}}};
  const Plan plan = plan_of({{"web", Action::recreate},
                             {"db", Action::none},
                             {"api", Action::none},
                             {"migrate", Action::none},
                             {"idle", Action::create}});
  const RunningSet after =
      running_after(next, before, plan,
                    {running("web", "w2"), job("db", "d1"), running("api", "by-hand"),
                     running("idle", "i1"), running("idle", "i2")});
  RunningSet expected;
  expected.release = 2;
  expected.services = {{"web", {2, {"w2"}, false, false}},
                       // It ran on after its gate: an end that looks like a job's is none.
                       {"db", {2, {"d1"}, false, false}},
                       {"api", {2, {"a1"}, false, false}},
                       {"migrate", {2, {"m1"}, true, false}},
                       {"tidied", {2, {}, true, false}},
                       {"idle", {2, {"i1", "i2"}, false, false}}};
  EXPECT_EQ(after, expected);
  EXPECT_TRUE(after.is_whole());
}

TEST(RunningAfter, KeepsWhatTheGateHasVerifiedAndIsGoneSince) {
  ReleaseRecord next;
  next.number = 2;
  for (const char* name : {"web", "db", "migrate", "idle", "api"}) next.images[name];
  const Plan plan = plan_of({{"web", Action::recreate},
                             {"db", Action::create},
                             {"migrate", Action::create},
                             {"idle", Action::create},
                             {"api", Action::recreate},
                             {"old", Action::remove}});
  RunningSet verified;
  verified.release = 2;
  verified.services = {{"web", {2, {"w2"}, false, false}},
                       {"db", {2, {"d2"}, false, false}},
                       {"migrate", {2, {"m2"}, true, false}},
                       {"idle", {2, {}, false, false}},
                       // Another deployment has begun to change it.
                       {"api", {2, {"a2"}, false, true}},
                       {"old", {2, {"o1"}, false, false}}};
  RunningSet expected = verified;
  expected.services.erase("old");
  expected.services["web"].containers = {"w3"};
  expected.services["api"] = {2, {}, false, false};
  EXPECT_EQ(running_after(next, verified, plan, {running("web", "w3")}), expected);
  // What another release ran says nothing of this one.
  verified.release = 1;
  expected.services["db"].containers.clear();
  expected.services["migrate"] = {2, {}, false, false};
  EXPECT_EQ(running_after(next, verified, plan, {running("web", "w3")}), expected);
}

TEST(RunningSet, IsNotWholeOnceADeploymentHasTouchedIt) {
  EXPECT_FALSE(RunningSet().is_whole());
  const Deployed good(web_a + ", " + db_a, {}, {{"web", {"w1"}}, {"db", {"d1"}}});
  RunningSet running = good.base().running;
  touch(running, plan_of({{"web", Action::none}}));
  EXPECT_TRUE(running.is_whole());
  touch(running, plan_of({{"web", Action::none}, {"worker", Action::create}}));
  EXPECT_FALSE(running.is_whole());
  EXPECT_EQ(running.release, 1);
  EXPECT_EQ(running.find("web")->is_touched, false);
  EXPECT_EQ(running.find("worker")->release, 0);
}

// ---- Drift ----------------------------------------------------------------------------------

struct DriftCase {
  std::string name;
  std::vector<Container> containers;
  std::vector<std::string> expected;
};

std::ostream& operator<<(std::ostream& out, const DriftCase& row) {
  return out << row.name;
}

class Drift : public testing::TestWithParam<DriftCase> {};

TEST_P(Drift, SaysWhatDiffersFromWhatWasSeen) {
  const Deployed current(web_a + ", " + service("migrate", 'a'), {},
                         {{"web", {"w1"}}, {"migrate", {"m1"}}}, {"migrate"});
  EXPECT_EQ(drift(1, current.base().running, current.rendering, observe(GetParam().containers)),
            GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Situations, Drift,
    testing::Values(
        DriftCase{"None", {running("web", "w1"), job("migrate", "m1")}, {}},
        DriftCase{"AJobThatWasTidiedAway", {running("web", "w1")}, {}},
        DriftCase{"StoppedByHand", {stopped("web", "w1")}, {}},
        DriftCase{"Replaced", {running("web", "w2")}, {"web: its container was replaced manually"}},
        DriftCase{"Removed", {}, {"web: its container was removed manually"}},
        DriftCase{"OneMore",
                  {running("web", "w1"), running("web", "w2")},
                  {"web: its container was replaced manually"}},
        DriftCase{"AServiceThatTheReleaseDoesNotHave",
                  {running("web", "w1"), running("cron", "c1")},
                  {"cron: is running, but is not in the release"}}),
    testing::PrintToStringParamName());

TEST(DriftOfARelease, ThatCouldNotBeRolledBackIsWhatItHasNotTouched) {
  const Deployed good(web_a + ", " + db_a, {}, {{"web", {"w1"}}, {"db", {"d1"}}});
  RunningSet running = good.base().running;
  touch(running, plan_of({{"web", Action::recreate}, {"db", Action::none}}));
  const std::vector<std::string> expected{"db: its container was removed manually"};
  EXPECT_EQ(drift(2, running, good.rendering, observe({})), expected);
}

TEST(UnwellServices, AreGoneOrEndedOrUnhealthy) {
  const std::string all = service("web", 'a') + ", " + service("api", 'a') + ", " +
                          service("db", 'a') + ", " + service("cron", 'a') + ", " +
                          service("migrate", 'a') + ", " + service("gone", 'a');
  const Deployed current(all, {});
  const Observed observed =
      observe({running("web", "w1"), unhealthy("api", "a1"), stopped("db", "d1"),
               job("cron", "c1", 1), job("migrate", "m1")});
  RunningSet known;
  EXPECT_EQ(failing_services(known, current.rendering, observed),
            (std::set<std::string>{"api", "cron", "db", "gone"}));
  known.services["migrate"] = {1, {"m1"}, true, false};
  EXPECT_EQ(failing_services(known, current.rendering, observed),
            (std::set<std::string>{"api", "cron", "db", "gone"}));
  // It ran on after the gate, so that it is no job that has done its work.
  known.services["migrate"].is_job = false;
  EXPECT_EQ(failing_services(known, current.rendering, observed),
            (std::set<std::string>{"api", "cron", "db", "gone", "migrate"}));
}

TEST(FinishedJobs, AreNotWhatRanOnAfterTheGate) {
  const Container ended = job("db", "d1");
  ReleaseRecord release;
  EXPECT_TRUE(is_finished_job(ended, nullptr));
  EXPECT_TRUE(is_finished_job(ended, &release));
  release.seen = {{"db", {"d1"}}};
  EXPECT_FALSE(is_finished_job(ended, &release));
  release.jobs = {"db"};
  EXPECT_TRUE(is_finished_job(ended, &release));
  EXPECT_FALSE(is_finished_job(job("db", "d1", 1), &release));
}

// ---- What a container tells -----------------------------------------------------------------

TEST(Containers, WhoStoppedThemShowsInPolicyStateAndExitCode) {
  struct Row {
    const char* policy;
    ContainerState state;
    int exit_code;
    bool by_hand;
    bool job_done;
  };
  constexpr auto exited = ContainerState::exited;
  for (const Row& row :
       {Row{"unless-stopped", exited, 0, true, false}, Row{"always", exited, 137, true, false},
        Row{"no", exited, 0, false, true}, Row{"", exited, 0, false, true},
        Row{"no", exited, 1, false, false}, Row{"on-failure", exited, 0, false, true},
        Row{"on-failure", exited, 1, false, false},
        Row{"always", ContainerState::restarting, 1, false, false},
        Row{"always", ContainerState::running, 0, false, false},
        Row{"no", ContainerState::running, 0, false, false}}) {
    Container container;
    container.restart_policy = row.policy;
    container.state = row.state;
    container.exit_code = row.exit_code;
    const std::string what = std::string(row.policy) + " " + std::string(to_string(row.state));
    EXPECT_EQ(is_stopped_manually(container), row.by_hand) << what;
    EXPECT_EQ(is_finished_job(container), row.job_done) << what;
  }
}

}  // namespace
}  // namespace trimtab
