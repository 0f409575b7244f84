// Which services are rolled or reloaded, and what a proxy is told meanwhile.
#include <gtest/gtest.h>

#include <ostream>

#include "agent/execute/proxy_files.hpp"
#include "agent/execute/reloading.hpp"
#include "agent/model/reload.hpp"
#include "agent/plan/diff.hpp"
#include "agent/plan/preflight/preflight.hpp"
#include "agent/plan/rolling.hpp"
#include "tests/lib/records.hpp"

namespace trimtab {
namespace {

Json json(const std::string& text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Json();
}

Rendering rendering(const std::string& services) {
  Rendering result;
  result.model = json("{\"services\": {" + services + "}}");
  return result;
}

Container running(const std::string& service, const std::string& id) {
  Container container;
  container.id = id;
  container.service = service;
  container.state = ContainerState::running;
  container.restart_policy = "always";
  return container;
}

Container exited(const std::string& service, const std::string& id) {
  Container container = running(service, id);
  container.state = ContainerState::exited;
  container.exit_code = 1;
  container.restart_policy = "no";
  return container;
}

Container with_volume(Container container, const std::string& target, const std::string& volume) {
  container.volumes[target] = volume;
  return container;
}

const std::string start_first = R"("deploy": {"update_config": {"order": "start-first"}})";

// "api": an image of version `digit` and `more`.
std::string api(char digit, const std::string& more = start_first) {
  return R"("api": {"image": "acme/api@sha256:)" + std::string(64, digit) + "\"" +
         (more.empty() ? "" : ", " + more) + "}";
}

// ---- Start-first ----------------------------------------------------------------------------

// A release of these passed its gate.
Base base_of(const Rendering& before, const SeenContainers& seen,
             const std::map<std::string, std::map<std::string, std::string>>& mounted = {}) {
  ReleaseRecord release;
  release.number = 1;
  release.seen = seen;
  Base base;
  base.running = test::running_set_of(release);
  base.releases[1] = {before, mounted};
  return base;
}

struct RollCase {
  std::string name;
  std::string more;       // of the service, beside its image
  std::string action;     // when its image changes
  std::string last = {};  // its last reason; "": the image
  std::string others = {};
  std::vector<Container> containers = {running("api", "a1")};
};

std::ostream& operator<<(std::ostream& out, const RollCase& row) {
  return out << row.name;
}

class StartFirst : public testing::TestWithParam<RollCase> {};

TEST_P(StartFirst, IsChosenWhereTwoContainersCanRun) {
  const RollCase& row = GetParam();
  const Rendering before = rendering(api('a', row.more) + row.others);
  const Rendering after = rendering(api('b', row.more) + row.others);
  const Base base = base_of(before, {{"api", {"a1"}}});
  Observed observed;
  observed.containers = row.containers;
  const Plan plan = make_plan(target_of(Release(), after), base, observed, false);
  const auto step = std::find_if(plan.steps.begin(), plan.steps.end(),
                                 [](const Step& s) { return s.service == "api"; });
  ASSERT_NE(step, plan.steps.end());
  EXPECT_EQ(to_string(step->action), row.action);
  EXPECT_EQ(step->risk == Risk::none, row.action == "roll" || row.action == "create");
  if (row.last.empty()) {
    EXPECT_EQ(step->reasons.size(), 1U);
  } else {
    EXPECT_EQ(step->reasons.back(), row.last);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, StartFirst,
    testing::Values(
        RollCase{"Asked", start_first, "roll"},  //
        RollCase{"NotAsked", "", "recreate"},
        RollCase{"StopFirst", R"("deploy": {"update_config": {"order": "stop-first"}})",
                 "recreate"},
        RollCase{"SharedVolume",
                 start_first +
                     R"(, "volumes": [{"type": "volume", "source": "up", "target": "/uploads"}])",
                 "roll"},
        RollCase{"SharedVolumeAsOldComposeWritesIt",
                 start_first + R"(, "volumes": ["up:/uploads:rw"])", "roll"},
        RollCase{"AnonymousVolume",
                 start_first + R"(, "volumes": [{"type": "volume", "target": "/cache"}])",
                 "recreate",
                 "stop-first, because its anonymous volume at /cache stays with one container"},
        RollCase{"VolumeThatTheImageDeclares",
                 start_first,
                 "recreate",
                 "stop-first, because its image's volume at /data stays with one container",
                 "",
                 {with_volume(running("api", "a1"), "/data", std::string(64, 'c'))}},
        RollCase{
            "NamedVolumeAtTheImagesPlace",
            start_first + R"(, "volumes": [{"type": "volume", "source": "up", "target": "/data"}])",
            "roll",
            "",
            "",
            {with_volume(running("api", "a1"), "/data", "shop_up")}},
        RollCase{"NamedVolumeThatIsNoLongerMounted",
                 start_first,
                 "roll",
                 "",
                 "",
                 {with_volume(running("api", "a1"), "/data", "shop_up")}},
        RollCase{"DataOfADatabase",
                 start_first + R"(, "volumes": ["d:/var/lib/postgresql/data:rw"])", "recreate",
                 "stop-first, because the data at /var/lib/postgresql/data can be used by one "
                 "server at a time"},
        RollCase{"DataOfADatabaseThatIsOnlyRead",
                 start_first + R"(, "volumes": ["d:/var/lib/postgresql/data:ro"])", "roll"},
        RollCase{"ContainerName", start_first + R"(, "container_name": "api")", "recreate",
                 "stop-first, because container_name allows only one container"},
        RollCase{"PortOfTheHost",
                 start_first + R"(, "ports": [{"target": 80, "published": "8080"}])", "recreate",
                 "stop-first, because only one container can use the host port 8080"},
        RollCase{"AnyPortOfTheHost", start_first + R"(, "ports": [{"target": 80}])", "roll"},
        RollCase{"NetworkOfTheHost", start_first + R"(, "network_mode": "host")", "recreate",
                 "stop-first, because network_mode: host makes both use the same ports"},
        RollCase{"AnotherServiceIsInItsNetwork", start_first, "recreate",
                 "stop-first, because app shares its network",
                 R"(, "app": {"image": "a", "network_mode": "service:api"})"},
        RollCase{"NetworkOfAnotherService", start_first + R"(, "network_mode": "service:vpn")",
                 "recreate",
                 "stop-first, because network_mode: service:vpn makes both use the same ports"},
        RollCase{"FixedAddress",
                 start_first + R"(, "networks": {"default": {"ipv4_address": "10.0.0.9"}})",
                 "recreate", "stop-first, because its network address is fixed"},
        RollCase{"AwaitedJob", start_first, "recreate",
                 "stop-first, because web waits for its exit",
                 R"(, "web": {"image": "w", "depends_on":
                    {"api": {"condition": "service_completed_successfully"}}})"},
        RollCase{"NothingRuns", start_first, "recreate", "", "", {exited("api", "a1")}},
        RollCase{"NothingIsThere", start_first, "create", "", "", {}}),
    [](const auto& row) { return row.param.name; });

TEST(StartFirstDatabases, AreKnownByTheirImages) {
  for (const auto& [image, database] : {std::pair{"postgres@sha256:1", true},
                                        {"registry:5000/acme/postgres:16", true},
                                        {"bitnami/redis:7", true},
                                        {"acme/postgres-exporter:1", false},
                                        {"acme/api", false}}) {
    const Rendering next = rendering(R"("s": {"image": ")" + std::string(image) +
                                     R"(", "volumes": ["data:/data:rw"]})");
    EXPECT_EQ(!obstacle_to_rolling(next, "s", {}).empty(), database) << image;
  }
}

TEST(StartFirst, GoesBackTheSameWay) {
  ReleaseRecord release;
  release.seen = {{"api", {"a1"}}};
  const Rendering good = rendering(api('a'));
  Plan failed;
  failed.steps = {{"api", Action::roll, Risk::none, {"image"}}};
  struct Row {
    std::vector<Container> containers;
    Action action;
  };
  for (const Row& row : {Row{{running("api", "a1")}, Action::none},
                         Row{{running("api", "a1"), running("api", "a2")}, Action::roll},
                         Row{{running("api", "a2")}, Action::roll},
                         Row{{exited("api", "a2")}, Action::recreate}, Row{{}, Action::create}}) {
    Observed observed;
    observed.containers = row.containers;
    Base base = base_of(good, release.seen);
    touch(base.running, failed);
    const Plan plan = make_rollback_plan(target_of(release, good), base, failed, {}, observed);
    ASSERT_EQ(plan.steps.size(), 1U);
    EXPECT_EQ(plan.steps[0].action, row.action) << row.containers.size();
  }
}

TEST(StartFirst, NeedsTheMemoryForIt) {
  const Rendering next = rendering(
      R"("api": {"image": "a", "deploy": {"replicas": 4, "update_config": {"parallelism": 2}}})");
  struct Row {
    std::uint64_t available;
    Action action;
    std::string volume = "shop_up";
    Risk risk = Risk::restart;
  };
  for (const Row& row : {Row{200'000'000, Action::roll}, Row{199'999'999, Action::recreate},
                         Row{199'999'999, Action::recreate, std::string(64, 'c'), Risk::data}}) {
    Plan plan;
    plan.steps = {{"api", Action::roll, Risk::none, {"image"}}};
    Observed observed;
    observed.containers = {with_volume(running("api", "a1"), "/data", row.volume)};
    const auto lines =
        keep_within_memory(plan, next, observed, {{"api", 100'000'000}}, row.available);
    EXPECT_EQ(plan.steps[0].action, row.action);
    EXPECT_EQ(lines.empty(), row.action == Action::roll);
    if (lines.empty()) continue;
    EXPECT_EQ(plan.steps[0].risk, row.risk);
    EXPECT_EQ(
        lines[0],
        "api is replaced stop-first, because 200 MB of memory are needed and 200 MB are free");
  }
  Plan unknown;
  unknown.steps = {{"api", Action::roll, Risk::none, {"image"}}};
  EXPECT_TRUE(keep_within_memory(unknown, next, {}, {}, 0).empty());
  for (const char* reserves :
       {R"("mem_reservation": "1g")",
        R"("deploy": {"resources": {"reservations": {"memory": "1073741824"}}})"}) {
    Plan plan = unknown;
    const Rendering more = rendering(std::string(R"("api": {"image": "a", )") + reserves + "}");
    EXPECT_TRUE(keep_within_memory(plan, more, {}, {{"api", 1}}, 1ULL << 30).empty()) << reserves;
    EXPECT_FALSE(keep_within_memory(plan, more, {}, {{"api", 1}}, (1ULL << 30) - 1).empty())
        << reserves;
  }
}

// ---- Reload ---------------------------------------------------------------------------------

struct ReloadCase {
  std::string service;
  std::string expected;  // "CHECK|SIGNAL|whether for files"; "": none

  friend void PrintTo(const ReloadCase& row, std::ostream* out) { *out << row.service; }
};

class Reloads : public testing::TestWithParam<ReloadCase> {};

TEST_P(Reloads, AreSaidOrFoundByThemselves) {
  const auto reload = reload_of(json(GetParam().service));
  const std::string found = reload ? join(reload->check, " ") + "|" + reload->signal + "|" +
                                         (reload->files ? "yes" : "no")
                                   : "";
  EXPECT_EQ(found, GetParam().expected) << GetParam().service;
}

INSTANTIATE_TEST_SUITE_P(
    All, Reloads,
    testing::Values(
        ReloadCase{R"({"image": "nginx@sha256:1"})", "nginx -t|HUP|yes"},
        ReloadCase{R"({"image": "registry:5000/library/nginx:1.27"})", "nginx -t|HUP|yes"},
        ReloadCase{R"({"image": "sha256:1", "command": ["nginx", "-g", "daemon off;"]})",
                   "nginx -t|HUP|yes"},
        ReloadCase{R"({"image": "sha256:1", "command": "nginx -g x"})", "nginx -t|HUP|yes"},
        ReloadCase{R"({"image": "nginx", "volumes": ["/s/t:/etc/nginx/templates:ro"]})",
                   "nginx -t|HUP|no"},
        ReloadCase{R"({"image": "acme/nginx-exporter"})", ""},
        ReloadCase{R"({"image": "acme/api"})", ""},
        ReloadCase{R"({"image": "haproxy", "x-trimtab": {"reload": {"signal": "SIGUSR2"}}})",
                   "|USR2|yes"},
        ReloadCase{R"({"image": "nginx", "x-trimtab": {"reload": {"check": ["sh", "-c", "x y"],
                   "signal": "HUP"}}})",
                   "sh -c x y|HUP|yes"}));

const std::string proxy = R"("proxy": {"image": "nginx@sha256:1", "depends_on": {"api": {}}})";

TEST(Reload, TakesTheRestartsPlaceForMountedFiles) {
  struct Row {
    const char* name;
    std::string service;
    Container container;
    Action action;
  };
  for (const Row& row :
       {Row{"a proxy", proxy, running("proxy", "p1"), Action::reload},
        Row{"one that is not running", proxy, exited("proxy", "p1"), Action::restart},
        Row{"another service", R"("proxy": {"image": "acme/api"})", running("proxy", "p1"),
            Action::restart},
        Row{"one that asks for start-first",
            R"("proxy": {"image": "acme/api",
                         "deploy": {"update_config": {"order": "start-first"}}})",
            running("proxy", "p1"), Action::roll}}) {
    ReleaseRecord old_release;
    old_release.mounted_files = {{"proxy", {{"nginx.conf", "1"}}}};
    ReleaseRecord new_release;
    new_release.mounted_files = {{"proxy", {{"nginx.conf", "2"}}}};
    const Rendering same = rendering(row.service);
    const Base base = base_of(same, {{"proxy", {"p1"}}}, old_release.mounted_files);
    Observed observed;
    observed.containers = {row.container};
    const Plan plan = make_plan(target_of(new_release, same), base, observed, false);
    ASSERT_EQ(plan.steps.size(), 1U);
    EXPECT_EQ(plan.steps[0].action, row.action) << row.name;
    EXPECT_EQ(plan.steps[0].reasons, std::vector<std::string>{"mounted file changed: nginx.conf"});
  }
}

TEST(Reload, FollowsAServiceThatMayGetANewAddress) {
  Observed observed;
  observed.containers = {running("api", "a1"), running("proxy", "p1")};
  for (const auto& [more, action] :
       {std::pair{std::string(), Action::reload}, {start_first, Action::none}}) {
    const Rendering before = rendering(api('a', more) + ", " + proxy);
    const Rendering after = rendering(api('b', more) + ", " + proxy);
    const Base base = base_of(before, {{"api", {"a1"}}, {"proxy", {"p1"}}});
    const Plan plan = make_plan(target_of(Release(), after), base, observed, false);
    ASSERT_EQ(plan.steps.size(), 2U);
    EXPECT_EQ(plan.steps[1].action, action) << more;
  }
}

TEST(Reload, ProxiesAreWhatRunsAndDependsOnTheService) {
  const Rendering next = rendering(
      api('a') + ", " + proxy +
      R"(, "other": {"image": "nginx"}, "web": {"image": "acme/web", "depends_on": ["api"]})");
  const std::vector<Container> containers{running("api", "a"), running("proxy", "p1"),
                                          exited("proxy", "p2"), running("other", "o"),
                                          running("web", "w")};
  const std::vector<Proxy> proxies = proxies_of(next, containers, "api");
  ASSERT_EQ(proxies.size(), 1U);
  EXPECT_EQ(proxies[0].container.id, "p1");
}

TEST(ServiceSettings, MistakesAreFound) {
  for (const auto& [said, expected] : {
           std::pair{R"({"reload": {"check": ["nginx", "-t"], "signal": "HUP"}})", ""},
           {R"({"reload": {"signal": "SIGUSR2"}})", ""},
           {R"({"reload": {"check": ["nginx", "-t"]}})", ""},
           {R"({"relaod": {}})", "x-trimtab of service s has an unknown key relaod"},
           {R"({"reload": {"sginal": "HUP"}})",
            "x-trimtab of service s: reload has an unknown key sginal"},
           {R"({"reload": {"signal": "KILL"}})",
            "x-trimtab of service s: reload.signal is not a signal for reloading: KILL"},
           {R"({"reload": {"check": "nginx -t"}})",
            "x-trimtab of service s: reload.check is not a list of words"},
           {R"({"reload": {}})", "x-trimtab of service s: reload is empty"},
           {R"({"reload": true})", "x-trimtab of service s: reload is not a mapping"},
           {R"([])", "x-trimtab of service s is not a mapping"},
       }) {
    const Rendering next =
        rendering(R"("s": {"image": "i", "x-trimtab": )" + std::string(said) + "}");
    preflight::Input input;
    input.next = &next;
    const auto findings = preflight::service_settings(input);
    ASSERT_EQ(findings.size(), *expected == '\0' ? 0U : 1U) << said;
    if (findings.empty()) continue;
    EXPECT_EQ(findings[0].message, expected);
    EXPECT_EQ(findings[0].name, "x-trimtab");
    EXPECT_EQ(findings[0].cause, FailureCause::release);
    EXPECT_FALSE(findings[0].hint.empty());
  }
}

// ---- What a proxy is told -------------------------------------------------------------------

TEST(ProxyFiles, HostsFileNamesTheNewAddressesAndForgetsThem) {
  const std::string docker = "127.0.0.1\tlocalhost\n172.18.0.5\tproxy\n";
  const std::string pointed =
      hosts_with(docker, "api", {"172.18.0.7", "172.18.0.8"}, {"api", "back"});
  EXPECT_EQ(pointed, docker + "172.18.0.7\tapi back # trimtab: api is being rolled\n" +
                         "172.18.0.8\tapi back # trimtab: api is being rolled\n");
  EXPECT_EQ(hosts_with(pointed, "api", {"172.18.0.9"}, {"api"}),
            docker + "172.18.0.9\tapi # trimtab: api is being rolled\n");
  EXPECT_EQ(hosts_without(pointed, "ap"), pointed);
  EXPECT_EQ(hosts_without(pointed, "api"), docker);
  EXPECT_EQ(hosts_without(docker, "api"), docker);
  EXPECT_EQ(hosts_with("127.0.0.1 localhost", "a", {"10.0.0.1"}, {"a"}),
            "127.0.0.1 localhost\n10.0.0.1\ta # trimtab: a is being rolled\n");
}

TEST(ProxyFiles, OnlyOpenConnectionsToTheAddressesCount) {
  // 172.18.0.2:8080 established, connecting, in TIME_WAIT; 172.18.0.3 established; a listener.
  const std::string tcp =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
      "   0: 030012AC:D6A4 020012AC:1F90 01 00000000:00000000 00:00000000 00000000     0\n"
      "   1: 030012AC:D6A6 020012AC:1F90 02 00000000:00000000 00:00000000 00000000     0\n"
      "   2: 030012AC:D6A8 020012AC:1F90 06 00000000:00000000 00:00000000 00000000     0\n"
      "   3: 030012AC:D6AA 030012AC:1F90 01 00000000:00000000 00:00000000 00000000     0\n"
      "   4: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n";
  EXPECT_EQ(connections_to(tcp, {"172.18.0.2"}), 2);
  EXPECT_EQ(connections_to(tcp, {"172.18.0.2", "172.18.0.3"}), 3);
  EXPECT_EQ(connections_to(tcp, {"172.18.0.4"}), 0);
  EXPECT_EQ(connections_to(tcp, {"", "not an address"}), 0);
  EXPECT_EQ(connections_to("", {"172.18.0.2"}), 0);
  const std::string tcp6 =
      "   0: 0000000000000000FFFF0000030012AC:D6A4 0000000000000000FFFF0000020012AC:1F90 01 0\n";
  EXPECT_EQ(connections_to(tcp6, {"172.18.0.2"}), 1);
}

}  // namespace
}  // namespace trimtab
