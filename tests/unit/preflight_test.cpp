// What preflight finds, and what it lets pass.
#include <gtest/gtest.h>

#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

using Severity = PreflightFinding::Severity;

Rendering rendering(const std::string& text) {
  auto model = parse_json(text);
  EXPECT_TRUE(model) << text;
  Rendering result;
  if (model) result.model = std::move(*model);
  return result;
}

Container publisher(const std::string& project, const std::string& name, const std::string& ip,
                    int port, const std::string& protocol = "tcp") {
  Container container;
  container.project = project;
  container.name = name;
  container.ports.push_back({ip, port, protocol});
  return container;
}

Container from(const std::string& directory, const std::string& project) {
  Container container;
  container.working_dir = directory;
  container.project = project;
  return container;
}

struct Case {
  std::string name;
  std::string next;                        // the model
  std::vector<std::string> expected = {};  // "error NAME: message"
  std::string current = {};                // the model; "": nothing has been deployed
  bool current_is_lost = false;            // it was, but its model cannot be read
  std::vector<Container> containers = {};
  std::vector<PortHolder> port_holders = {};
  std::vector<std::string> unset_variables = {};
  std::set<DollarValue> dollar_values = {};
  std::set<std::string> built_images_missing = {};
  std::set<std::string> missing_sources = {};
  std::map<std::string, std::string> shown_state = {};
  std::map<std::string, StoredForm> stored_forms = {};
  std::vector<std::string> compose_warnings = {};
  std::vector<std::string> collisions = {};
  std::map<std::string, PostgresMajors> postgres = {};
  std::optional<HealthCheck> image_check = {};
  std::optional<std::set<std::string>> networks = {};
  std::optional<std::set<std::string>> volumes = {};
  std::string holder = {};              // of the project
  std::vector<Container> foreign = {};  // bearing the project's label
  std::vector<Container> running = {};  // to be taken over
  std::vector<LostVolume> lost_volumes = {};
  std::vector<std::string> compose_files = {"compose.yaml"};
};

std::ostream& operator<<(std::ostream& out, const Case& row) {
  return out << row.name;
}

class Preflight : public testing::TestWithParam<Case> {};

TEST_P(Preflight, FindsWhatIsWrong) {
  const Case& row = GetParam();
  const Rendering next = rendering(row.next);
  const Rendering current = rendering(row.current.empty() ? "{}" : row.current);
  Input input;
  input.project = "shop";
  input.directory = "/srv/shop";
  input.env_file = ".env";
  input.next = &next;
  input.is_first = row.current.empty() && !row.current_is_lost;
  if (!row.current.empty()) input.current = &current;
  input.all_containers = row.containers;
  input.port_holders = row.port_holders;
  input.unset_variables = row.unset_variables;
  input.dollar_values = row.dollar_values;
  input.built_images_missing = row.built_images_missing;
  input.missing_sources = row.missing_sources;
  input.shown_state = row.shown_state;
  input.stored_forms = row.stored_forms;
  input.compose_warnings = row.compose_warnings;
  input.collisions = row.collisions;
  input.postgres = row.postgres;
  input.gate_timeout = std::chrono::minutes(3);
  input.networks = row.networks;
  input.volumes = row.volumes;
  if (row.image_check) input.image_health_checks["web"] = *row.image_check;
  input.project_holder = row.holder;
  input.foreign = row.foreign;
  input.running = row.running;
  input.lost_volumes = row.lost_volumes;
  input.compose_files = row.compose_files;
  input.tracked_files = {"/srv/shop/nginx.conf"};
  std::vector<std::string> found;
  for (const PreflightFinding& finding : check(input)) {
    found.push_back((finding.severity == Severity::error ? "error " : "warning ") + finding.name +
                    ": " + finding.message);
    EXPECT_FALSE(finding.hint.empty()) << finding.name;
  }
  EXPECT_EQ(found, row.expected);
}

const std::string one_service = R"({"services": {"web": {"image": "a"}}})";

const std::string with_externals = R"({"services": {"web": {"image": "a",
    "networks": {"default": null, "edge": null}, "volumes": [{"type": "volume", "source": "data",
    "target": "/data"}]}},
    "networks": {"default": {"name": "shop_default"}, "edge": {"name": "proxy", "external": true},
                 "unused": {"external": true}},
    "volumes": {"data": {"name": "shop-data", "external": true}}})";

Container named(const std::string& name, const std::string& project) {
  Container container;
  container.name = name;
  container.project = project;
  return container;
}

const std::string with_name = R"({"services": {"web": {"container_name": "grafana"}}})";

INSTANTIATE_TEST_SUITE_P(
    Names, Preflight,
    testing::Values(
        Case{.name = "AllThere",
             .next = with_externals,
             .networks = std::set<std::string>{"proxy"},
             .volumes = std::set<std::string>{"shop-data"}},
        Case{.name = "AllMissing",
             .next = with_externals,
             .expected = {"error external-missing: the external network proxy does not exist here, "
                          "and the external volume shop-data does not exist here"},
             .networks = std::set<std::string>{"edge"},
             .volumes = std::set<std::string>{}},
        Case{.name = "AsOldComposeWritesThem",
             .next = R"({"services": {"web": {"networks": ["a", "b"], "volumes": ["data:/d:rw"]}},
                 "networks": {"a": {"external": true}, "b": {"external": {"name": "c"}}},
                 "volumes": {"data": {"external": true, "name": "data"}}})",
             .expected = {"error external-missing: the external networks a, c do not exist here"},
             .networks = std::set<std::string>{"b"},
             .volumes = std::set<std::string>{"data"}},
        Case{.name = "DockerDoesNotTell", .next = with_externals},
        Case{.name = "ContainerNameIsFree", .next = with_name, .containers = {named("x", "")}},
        Case{.name = "ContainerNameIsOurs",
             .next = with_name,
             .containers = {named("grafana", "shop")}},
        Case{.name = "ContainerNameOfAnother",
             .next = with_name,
             .expected = {"error container-name-taken: service web needs the container name "
                          "grafana, which is used by a container that belongs to no project"},
             .containers = {named("grafana", "")}},
        Case{.name = "ContainerNameOfAnotherProject",
             .next = with_name,
             .expected = {"error container-name-taken: service web needs the container name "
                          "grafana, which is used by a container of the project monitoring"},
             .containers = {named("grafana", "monitoring")}}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    HealthChecks, Preflight,
    testing::Values(
        Case{"KnownInTime",
             R"({"services": {"web": {"healthcheck": {"test": "true", "interval": "3m"}}}})"},
        Case{"KnownLate",
             R"({"services": {"web": {"healthcheck": {"test": "true", "interval": "5m"}}}})",
             {"warning health-known-late: the health of web is known 5m after its start at the "
              "earliest: its gate waits until then, plus gate.timeout"}},
        Case{"KnownTooLate",
             R"({"services": {"web": {"healthcheck": {"test": "true", "interval": "24h"}}}})",
             {"error health-known-late: the health of web is known 1d after its start at the "
              "earliest, which is longer than any gate waits"}},
        Case{.name = "ByTheImage",
             .next = one_service,
             .expected = {"warning health-known-late: the health of web is known 5m after its "
                          "start at the earliest: its gate waits until then, plus gate.timeout"},
             .image_check = HealthCheck{std::chrono::minutes(5), {}, {}}},
        Case{.name = "NoneAtAll",
             .next = R"({"services": {"web": {"healthcheck": {"disable": true}}}})",
             .image_check = HealthCheck{std::chrono::minutes(5), {}, {}}}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    Projects, Preflight,
    testing::Values(
        Case{"NothingIsWrong", one_service},
        Case{"NoServices",
             R"({"services": {}})",
             {"error no-service: the compose file has no service left"}},
        Case{"NoSectionOfServices",
             R"({"name": "shop"})",
             {"error no-service: the compose file has no service left"}},
        Case{.name = "UnsetVariables",
             .next = one_service,
             .expected = {"error unset-variable: the compose file uses the variable TAG, and "
                          "nothing sets it",
                          "error unset-variable: the compose file uses the variable word, and "
                          "nothing sets it"},
             .unset_variables = {"TAG", "word"}},
        // The variable is a part of the value, and so is not named.
        Case{.name = "DollarInAValue",
             .next = one_service,
             .expected = {"error unset-variable: .env, line 3: the $ in the value of PASSWORD "
                          "begins a variable, which nothing sets"},
             .dollar_values = {{".env", 3, "PASSWORD"}}},
        Case{.name = "OnlyBuild",
             .next = one_service,
             .expected = {"error only-build: service web has only `build:`, and its image is not "
                          "on this host"},
             .built_images_missing = {"web"}},
        Case{.name = "StateDirectory",
             .next = one_service,
             .expected = {"error state-directory: service web mounts /var/lib, which exposes "
                          "trimtab's own state directory"},
             .shown_state = {{"/var/lib", "service web mounts"}}},
        Case{.name = "SourceOfAMountMissing",
             .next = one_service,
             .expected = {"error bind-source-missing: a service mounts /srv/shop/certs, which "
                          "does not exist"},
             .missing_sources = {"/srv/shop/certs"}},
        Case{.name = "WhatComposeWarnsOf",
             .next = one_service,
             .expected = {"warning compose-warning: Compose warns: compose.yaml: the attribute "
                          "`version` is obsolete"},
             .compose_warnings = {"compose.yaml: the attribute `version` is obsolete"}},
        Case{.name = "FilesThatAreNotAsTheyAre",
             .next = one_service,
             .expected = {"error lfs-pointer: logo.png in the commit is a pointer of Git LFS, not "
                          "the file itself",
                          "error encrypted-file: secrets/db.txt is encrypted by git-crypt, and "
                          "would be used as it is",
                          "error encrypted-file: values.yaml is encrypted by SOPS, and would be "
                          "used as it is"},
             .stored_forms = {{"logo.png", StoredForm::lfs_pointer},
                              {"secrets/db.txt", StoredForm::git_crypt},
                              {"values.yaml", StoredForm::sops}}},
        Case{.name = "FilesInTheWay",
             .next = one_service,
             .expected = {"error untracked-file-in-the-way: the commit has the file notes.txt, "
                          "but /srv/shop has a different, untracked file of that name"},
             .collisions = {"notes.txt"}},
        Case{.name = "AnotherProjectOfTheSameDirectory",
             .next = one_service,
             .expected = {"error other-project: a project named app already runs from /srv/shop, "
                          "and this stack would start as shop with empty volumes"},
             .containers = {from("/srv/shop", "app"), from("/srv/shop", "app")}},
        Case{.name = "OurOwnProjectAndStrangers",
             .next = one_service,
             .containers = {from("/srv/shop", "shop"), from("/srv/shop2", "app"),
                            from("/srv/shop", "")}},
        Case{.name = "AnotherProjectBesideADeployedStack",
             .next = one_service,
             .current = one_service,
             .containers = {from("/srv/shop", "tools")}}),
    testing::PrintToStringParamName());

// ---- Other people's containers ----------------------------------------------------------------

Container foreign(const std::string& name, const std::string& service,
                  const std::string& directory) {
  Container container;
  container.name = name;
  container.project = "shop";
  container.service = service;
  container.working_dir = directory;
  container.is_counted = true;
  return container;
}

const std::string takes_over = ": this stack would take over its containers and volumes";

INSTANTIATE_TEST_SUITE_P(
    Owners, Preflight,
    testing::Values(
        Case{.name = "ProjectOfAnotherStack",
             .next = one_service,
             .expected = {"error project-in-use: the project shop belongs to the stack production" +
                          takes_over},
             .current = one_service,
             .holder = "production"},
        Case{.name = "ProjectThatRunsElsewhere",
             .next = one_service,
             .expected = {"error project-in-use: the project shop belongs to what runs from "
                          "/home/ana/shop (shop-db-1)" +
                          takes_over},
             .foreign = {foreign("shop-db-1", "db", "/home/ana/shop"),
                         foreign("shop-web-1", "web", "/home/ana/shop")}},
        Case{.name = "ServiceOfTheProjectFromElsewhere",
             .next = one_service,
             .current = one_service,
             .foreign = {foreign("shop-debug-1", "debug", "/home/ana/shop")}},
        Case{.name = "WhatIsToleratedStaysSoWhenTheReleaseCannotBeRead",
             .next = one_service,
             .current_is_lost = true,
             .containers = {from("/srv/shop", "blog")},
             .foreign = {foreign("shop-debug-1", "debug", "/home/ana/shop")},
             .running = {foreign("shop-adminer-1", "adminer", "/srv/shop")}},
        Case{.name = "ContainerThatComposeWouldReplace",
             .next = one_service,
             .expected =
                 {"error foreign-container: the container copy has the labels of this stack's "
                  "service web, but was not created for it, and Compose would replace it"},
             .current = one_service,
             .foreign = {foreign("copy", "web", "/srv/shop")}},
        Case{.name = "ProjectInAFolderThatTheComposeFileNames",
             .next = one_service,
             .expected = {"error other-project: a project named blog already runs from "
                          "/srv/shop/apps/blog, and this stack would start as shop with empty "
                          "volumes"},
             .containers = {from("/srv/shop/apps/blog", "blog"),
                            from("/srv/shop/apps/wiki", "wiki")},
             .compose_files = {"apps/blog/compose.yaml"}}),
    testing::PrintToStringParamName());

// ---- What runs by hand --------------------------------------------------------------------------

Container by_hand(const std::string& service, const std::string& files = "compose.yaml") {
  Container container = foreign("shop-" + service + "-1", service, "/srv/shop");
  for (const std::string& file : split(files, ',')) {
    container.config_files += (container.config_files.empty() ? "" : ",") + ("/srv/shop/" + file);
  }
  container.state = ContainerState::running;
  return container;
}

Container stopped(Container container) {
  container.state = ContainerState::exited;
  return container;
}

Container with_volume(Container container, const std::string& target, const std::string& volume) {
  container.volumes[target] = volume;
  return container;
}

Container with_bind(Container container, const std::string& target, const std::string& source) {
  container.bind_mounts[target] = source;
  return container;
}

Container with_port(Container container, int port, bool is_chance = false) {
  for (const char* address : {"0.0.0.0", "::"}) {
    container.ports.push_back({address, port, "tcp", is_chance});
  }
  return container;
}

const std::string database = R"({"services": {"db": {
    "volumes": [{"type": "volume", "source": "data", "target": "/data"},
                {"type": "bind", "source": "/srv/shop/init", "target": "/init"}],
    "ports": [{"target": 5432, "published": "5432", "protocol": "tcp"}]}},
  "volumes": {"data": {"name": "shop_data"}}})";
const std::string unnamed(64, 'a');
const std::string would_lose = ", which would be lost by taking it over";

INSTANTIATE_TEST_SUITE_P(
    TakingOver, Preflight,
    testing::Values(
        Case{.name = "WhatRunsIsAsTheCommitSays",
             .next = database,
             .running = {with_port(with_bind(with_volume(by_hand("db"), "/data", "shop_data"),
                                             "/init", "/srv/shop/init"),
                                   5432)}},
        Case{.name = "VolumeOfTheOverrideFile",
             .next = one_service,
             .expected = {"error volume-lost: web has the volume shop_dbdata at /data" + would_lose,
                          "error port-lost: web publishes the port 8080/tcp" + would_lose},
             .running = {with_port(with_volume(by_hand("web", "compose.yaml,compose.override.yaml"),
                                               "/data", "shop_dbdata"),
                                   8080)}},
        Case{.name = "AnotherVolumeInItsPlace",
             .next = database,
             .expected = {"error volume-lost: db has the volume app_data at /data" + would_lose +
                          " for data"},
             .running = {with_volume(by_hand("db"), "/data", "app_data")}},
        Case{.name = "AnotherFolderInItsPlace",
             .next = database,
             .expected = {"error mount-lost: db mounts /srv/shop/old at /init" + would_lose +
                          " for /srv/shop/init"},
             .running = {with_bind(by_hand("db"), "/init", "/srv/shop/old")}},
        Case{.name = "FileOfTheRepositoryThatIsMountedNoMore",
             .next = one_service,
             .running = {with_bind(by_hand("web"), "/etc/nginx.conf", "/srv/shop/nginx.conf")}},
        Case{.name = "VolumeOfTheImage",
             .next = one_service,
             .running = {with_volume(by_hand("web"), "/data", unnamed)}},
        Case{.name = "VolumeOfTheImageThatANamedOneHides",
             .next = database,
             .expected = {"error volume-lost: db has the volume " + unnamed + " at /data" +
                          would_lose + " for data"},
             .running = {with_volume(by_hand("db"), "/data", unnamed)}},
        Case{.name = "PortThatTheEngineChose",
             .next = one_service,
             .running = {with_port(by_hand("web"), 32768, true)}},
        Case{.name = "ServiceThatTheCommitLacks",
             .next = one_service,
             .expected = {"error service-lost: the service adminer (shop-adminer-1) runs, and "
                          "would not be in the release"},
             .running = {by_hand("web"), by_hand("adminer")}},
        Case{.name = "StoppedServiceThatTheCommitLacks",
             .next = one_service,
             .running = {by_hand("web"), stopped(by_hand("adminer"))}},
        Case{.name = "NotLookedAtOnceDeployed",
             .next = one_service,
             .current = one_service,
             .running = {by_hand("adminer")}}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    LostVolumes, Preflight,
    testing::Values(
        Case{.name = "VolumeThatIsGone",
             .next = database,
             .expected = {"error volume-missing: the volume shop_data, in which the service db "
                          "keeps its data, is gone"},
             .current = database,
             .lost_volumes = {{"shop_data", "db"}}},
        Case{.name = "VolumeThatIsGoneAndNotWantedAnyMore",
             .next = database,
             .current = database,
             .lost_volumes = {{"shop_files", "old"}}}),
    testing::PrintToStringParamName());

TEST(TakingOver, NamesTheFileThatWouldBeMissing) {
  const Rendering next = rendering(one_service);
  Input input;
  input.is_first = true;
  input.next = &next;
  input.project = "shop";
  input.directory = "/srv/shop";
  input.compose_files = {"compose.yaml"};
  input.running = {by_hand("db", "compose.yaml,compose.override.yaml"), by_hand("old"),
                   by_hand("older")};
  input.running.back().config_files = "compose.yaml,./more/prod.yaml";  // as of Compose 1.29
  const Findings found = taken_over(input);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].hint,
            "shop-db-1 was started with /srv/shop/compose.override.yaml too: add it to `compose:` "
            "in the stack's file, or add its content to the compose file");
  EXPECT_EQ(found[1].hint,
            "add it to the compose file, enable its profile with `profiles:` in the stack's "
            "file, or remove it manually first");
  EXPECT_TRUE(found[2].hint.starts_with("shop-older-1 was started with /srv/shop/more/prod.yaml "))
      << found[2].hint;
}

const std::string port_80 = R"({"services": {"web": {"ports": ["80:8080"]}}})";
const std::string port_80_local =
    R"({"services": {"web": {"ports": [{"target": 8080, "published": "80", "protocol": "tcp",
        "host_ip": "127.0.0.1"}]}}})";
const std::string port_53_udp = R"({"services": {"dns": {"ports": ["53:53/udp"]}}})";

std::string held(const std::string& by, const std::string& port = "80/tcp",
                 const std::string& service = "web") {
  return "error host-port-taken: service " + service + " publishes port " + port +
         ", which is held by " + by;
}

INSTANTIATE_TEST_SUITE_P(
    HostPorts, Preflight,
    testing::Values(Case{.name = "HeldByAContainerOfAnotherProject",
                         .next = port_80,
                         .expected = {held("container blog-web-1 of the project blog")},
                         .containers = {publisher("blog", "blog-web-1", "0.0.0.0", 80)}},
                    Case{.name = "HeldByAContainerOfNoProject",
                         .next = port_80,
                         .expected = {held("container nginx")},
                         .containers = {publisher("", "nginx", "", 80)}},
                    Case{.name = "HeldByAProcess",
                         .next = port_80,
                         .expected = {held("apache2 (process 712)")},
                         .port_holders = {{{"", 80, "tcp"}, "apache2 (process 712)"}}},
                    Case{.name = "HeldByOurOwnContainer",
                         .next = port_80,
                         .containers = {publisher("shop", "shop-web-1", "0.0.0.0", 80)},
                         .port_holders = {{{"", 80, "tcp"}, "docker-proxy (process 9)"}}},
                    Case{.name = "OurOwnContainerHoldsAnotherPort",
                         .next = port_80,
                         .expected = {held("apache2 (process 712)")},
                         .containers = {publisher("shop", "shop-web-1", "0.0.0.0", 8080)},
                         .port_holders = {{{"", 80, "tcp"}, "apache2 (process 712)"}}},
                    Case{.name = "AProcessAtAnotherAddress",
                         .next = port_80_local,
                         .port_holders = {{{"10.0.0.7", 80, "tcp"}, "apache2 (process 712)"}}},
                    Case{.name = "AProcessAtOneAddressAgainstAll",
                         .next = port_80,
                         .expected = {held("apache2 (process 712)")},
                         .port_holders = {{{"10.0.0.7", 80, "tcp"}, "apache2 (process 712)"}}},
                    Case{.name = "OtherProtocol",
                         .next = port_80,
                         .containers = {publisher("blog", "blog-web-1", "", 80, "udp")},
                         .port_holders = {{{"", 80, "udp"}, "caddy (process 3)"}}},
                    Case{.name = "UdpToo",
                         .next = port_53_udp,
                         .expected = {held("dnsmasq (process 5)", "53/udp", "dns")},
                         .port_holders = {{{"", 53, "udp"}, "dnsmasq (process 5)"}}},
                    Case{.name = "OneAddressAgainstAll",
                         .next = port_80_local,
                         .expected = {held("container blog-web-1 of the project blog")},
                         .containers = {publisher("blog", "blog-web-1", "::", 80)}},
                    Case{.name = "AllAgainstOneAddress",
                         .next = port_80,
                         .expected = {held("container blog-web-1 of the project blog")},
                         .containers = {publisher("blog", "blog-web-1", "10.0.0.5", 80)}},
                    Case{.name = "TwoAddresses",
                         .next = port_80_local,
                         .containers = {publisher("blog", "blog-web-1", "10.0.0.5", 80)}},
                    Case{.name = "AnAddressInBrackets",
                         .next = R"({"services": {"web": {"ports": ["[::1]:80:80"]}}})",
                         .expected = {held("container blog-web-1 of the project blog")},
                         .containers = {publisher("blog", "blog-web-1", "::1", 80)}},
                    Case{.name = "OneOfARange",
                         .next = R"({"services": {"web": {"ports": ["8000-8002:9000-9002"]}}})",
                         .expected = {held("container blog-web-1 of the project blog", "8001/tcp")},
                         .containers = {publisher("blog", "blog-web-1", "", 8001)}},
                    Case{.name = "ARangeOfWhichDockerTakesOne",
                         .next = R"({"services": {"web": {"ports": [{"target": 80,
                         "published": "8000-8002", "protocol": "tcp"}]}}})",
                         .containers = {publisher("blog", "blog-web-1", "", 8001)}},
                    Case{.name = "APortThatDockerChooses",
                         .next = R"({"services": {"web": {"ports": ["80", {"target": 81}]}}})",
                         .containers = {publisher("blog", "blog-web-1", "", 80)}}),
    testing::PrintToStringParamName());

std::string with_networks(const std::string& networks) {
  return R"({"services": {"web": {"image": "a"}}, "networks": )" + networks + "}";
}

INSTANTIATE_TEST_SUITE_P(
    Networks, Preflight,
    testing::Values(
        Case{.name = "Same",
             .next = with_networks(R"({"inner": {"name": "shop_inner", "driver": "bridge"}})"),
             .current = with_networks(R"({"inner": {"driver": "bridge", "name": "shop_inner"}})")},
        Case{.name = "Changed",
             .next = with_networks(R"({"inner": {"name": "shop_inner", "internal": true}})"),
             .expected = {"error network-changed: the definition of the network inner changed, "
                          "which cannot be applied while its containers run"},
             .current = with_networks(R"({"inner": {"name": "shop_inner"}})")},
        Case{.name = "ChangedUnderAnotherName",
             .next = with_networks(R"({"inner": {"name": "shop_inner2", "internal": true}})"),
             .current = with_networks(R"({"inner": {"name": "shop_inner"}})")},
        Case{.name = "AddedAndDropped",
             .next = with_networks(R"({"outer": {}})"),
             .current = with_networks(R"({"inner": {}})")},
        Case{.name = "FirstDeployment", .next = with_networks(R"({"inner": {}})")}),
    testing::PrintToStringParamName());

std::string with_volumes(const std::string& volumes) {
  return R"({"services": {"db": {"image": "a"}}, "volumes": )" + volumes + "}";
}

INSTANTIATE_TEST_SUITE_P(
    Volumes, Preflight,
    testing::Values(
        Case{.name = "Same",
             .next = with_volumes(R"({"data": {"name": "shop_data", "driver": "local"}})"),
             .current = with_volumes(R"({"data": {"driver": "local", "name": "shop_data"}})")},
        Case{.name = "Changed",
             .next = with_volumes(R"({"data": {"driver_opts": {"device": "/b"}}})"),
             .expected = {"error volume-changed: the definition of the volume data changed, which "
                          "would delete the data in it"},
             .current = with_volumes(R"({"data": {"driver_opts": {"device": "/a"}}})")},
        Case{.name = "OtherName",
             .next = with_volumes(R"({"data": {"name": "new_data"}})"),
             .expected = {"error volume-renamed: the volume data would be new_data instead of "
                          "shop_data, without the data in it"},
             .current = with_volumes(R"({"data": {"name": "shop_data"}})")},
        Case{.name = "SameNameWritten",
             .next = with_volumes(R"({"data": {"name": "shop_data"}})"),
             .current = with_volumes(R"({"data": null})")},
        Case{.name = "SameOneThatIsNotComposesAnyMore",
             .next = with_volumes(R"({"data": {"name": "shop_data", "external": true}})"),
             .current = with_volumes(R"({"data": {"driver": "local"}})")},
        Case{.name = "Dropped",
             .next = with_volumes(R"({"cache": {}})"),
             .expected = {"warning volume-dropped: the volume data is no longer in the compose "
                          "file"},
             .current = with_volumes(R"({"data": {}, "cache": {}})")},
        Case{.name = "Added",
             .next = with_volumes(R"({"data": {}, "cache": {}})"),
             .current = with_volumes(R"({"data": {}})")},
        Case{.name = "FirstDeployment", .next = with_volumes(R"({"data": {}})")}),
    testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    HostAccess, Preflight,
    testing::Values(
        Case{"Provider",
             R"({"services": {"db": {"provider": {"type": "awesome"}}}})",
             {"error provider: service db has a `provider:`, which is a program to run on this "
              "host"}},
        Case{"Privileged",
             R"({"services": {"a": {"privileged": true}, "b": {"privileged": false}}})",
             {"warning privileged: service a is privileged"}},
        Case{"Namespaces",
             R"({"services": {"a": {"pid": "host", "network_mode": "host"},
                              "b": {"pid": "service:a", "network_mode": "bridge"}}})",
             {"warning host-namespace: service a has pid: host",
              "warning host-namespace: service a has network_mode: host"}},
        Case{"MountsOfCompose1",
             R"({"services": {"a": {"volumes": ["/var/run/docker.sock:/s:ro", "/:/host:rw",
                                                 "/srv/shop:/x:rw"]}}})",
             {"warning docker-socket: service a mounts /var/run/docker.sock, which makes it root "
              "on this host",
              "warning host-root: service a mounts /, which makes it root on this host"}},
        Case{"MountsOfCompose2",
             R"({"services": {"a": {"volumes": [
                {"type": "bind", "source": "/run/docker.sock", "target": "/s"}]}}})",
             {"warning docker-socket: service a mounts /run/docker.sock, which makes it root on "
              "this host"}},
        Case{.name = "ErrorsComeFirst",
             .next = R"({"services": {"a": {"privileged": true, "provider": {}}}})",
             .expected = {"error unset-variable: the compose file uses the variable X, and "
                          "nothing sets it",
                          "error provider: service a has a `provider:`, which is a program to run "
                          "on this host",
                          "warning privileged: service a is privileged"},
             .unset_variables = {"X"}}),
    testing::PrintToStringParamName());

TEST(PreflightDisk, SaysWhatTheImagesNeedAndWhatIsFree) {
  const Rendering next = rendering(R"({"services": {"api": {"image": "acme/api"}}})");
  Input input;
  input.next = &next;
  input.image_directory = "/var/lib/docker";
  ImagePull sized;
  sized.missing_bytes = 300'000'000;
  sized.total_bytes = 500'000'000;
  input.pulls = {sized, ImagePull{}};  // of the second, the registry did not tell
  const auto disk_findings = [&] { return disk_space(input); };
  EXPECT_TRUE(disk_findings().empty()) << "unknown";
  input.free_bytes = 1'300'000'000;
  EXPECT_TRUE(disk_findings().empty()) << "just enough";
  input.free_bytes = 1'299'999'999;
  const Findings found = disk_findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, "disk-space");
  EXPECT_EQ(found[0].severity, Severity::error);
  EXPECT_EQ(found[0].cause, FailureCause::host);
  EXPECT_EQ(found[0].message,
            "the images need 1.3 GB (1300000000 bytes) in /var/lib/docker, where 1.3 GB "
            "(1299999999 bytes) are free: 300 MB to transfer, and room to unpack them");
  input.pulls = {};
  input.free_bytes = 0;
  EXPECT_TRUE(disk_findings().empty()) << "nothing to pull";
}

TEST(PreflightHints, NameTheEnvFileAndTheDollar) {
  const Rendering next = rendering(one_service);
  Input input;
  input.next = &next;
  input.unset_variables = {"word"};
  input.env_file = "prod.env";
  EXPECT_EQ(unset_variable(input).at(0).hint,
            "set it in prod.env; a literal $ in a compose file is written $$");
  input.env_file.clear();
  EXPECT_EQ(unset_variable(input).at(0).hint,
            "set it in an env file (.env); a literal $ in a compose file is written $$");
}

TEST(PreflightFindings, OnlyErrorsStopADeploy) {
  PreflightFinding finding;
  finding.severity = Severity::warning;
  EXPECT_FALSE(has_errors({}));
  EXPECT_FALSE(has_errors({finding}));
  finding.severity = Severity::error;
  EXPECT_TRUE(has_errors({finding}));
}

std::string with_data(const std::string& volume) {
  return R"({"services": {"db": {"image": "postgres", "volumes": [{"type": "volume", "source": ")" +
         volume + R"(", "target": "/var/lib/postgresql/data"}]}}})";
}

INSTANTIATE_TEST_SUITE_P(
    Databases, Preflight,
    testing::Values(Case{.name = "SameMajor",
                         .next = with_data("data"),
                         .current = with_data("data"),
                         .postgres = {{"db", {"16", "16"}}}},
                    Case{.name = "OtherMajorOnTheSameData",
                         .next = with_data("data"),
                         .expected = {"error postgres-major: db would run PostgreSQL 17 on the "
                                      "data of 16 in data, where it does not start"},
                         .current = with_data("data"),
                         .postgres = {{"db", {"16", "17"}}}},
                    Case{.name = "OtherMajorOnDataOfItsOwn",
                         .next = with_data("data17"),
                         .current = with_data("data"),
                         .postgres = {{"db", {"16", "17"}}}},
                    Case{.name = "OtherMajorWithoutVolume",
                         .next = R"({"services": {"db": {"image": "postgres"}}})",
                         .current = R"({"services": {"db": {"image": "postgres"}}})",
                         .postgres = {{"db", {"16", "17"}}}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace trimtab::preflight
