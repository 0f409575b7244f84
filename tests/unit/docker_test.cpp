// What is made of the Engine's answers.
#include <gtest/gtest.h>

#include "agent/docker/docker_engine.hpp"
#include "agent/docker/engine_errors.hpp"
#include "agent/docker/engine_json.hpp"
#include "agent/docker/lines.hpp"
#include "agent/docker/log_frames.hpp"
#include "agent/docker/pull_progress.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

Json json(std::string_view text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Json();
}

// Cuts `bytes` at every place, then into single bytes.
std::vector<std::vector<std::string_view>> cuts(std::string_view bytes) {
  std::vector<std::vector<std::string_view>> all{{bytes}};
  std::vector<std::string_view> single;
  for (std::size_t i = 1; i < bytes.size(); ++i)
    all.push_back({bytes.substr(0, i), bytes.substr(i)});
  for (std::size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
  all.push_back(single);
  return all;
}

// ---- Versions -----------------------------------------------------------------------------------

struct VersionCase {
  const char* name;
  const char* newest;
  const char* oldest;
  const char* chosen;  // "" : refused
  const char* complaint;
};

class EngineVersions : public ::testing::TestWithParam<VersionCase> {};

TEST_P(EngineVersions, HighestCommonOneIsChosen) {
  const VersionCase& wanted = GetParam();
  Json version = Json::object();
  version["Version"] = "9.9.9";
  version["ApiVersion"] = wanted.newest;
  version["MinAPIVersion"] = wanted.oldest;
  const auto chosen = choose_api_version(version);
  if (*wanted.chosen != '\0') {
    ASSERT_TRUE(chosen) << chosen.error().text();
    EXPECT_EQ(chosen->text(), wanted.chosen);
  } else {
    ASSERT_FALSE(chosen);
    EXPECT_EQ(chosen.error().code, Errc::invalid);
    EXPECT_NE(chosen.error().text().find(wanted.complaint), std::string::npos)
        << chosen.error().text();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Docker, EngineVersions,
    ::testing::Values(VersionCase{"Docker20", "1.41", "1.12", "1.41", ""},
                      VersionCase{"Docker26", "1.45", "1.24", "1.45", ""},
                      VersionCase{"Docker29", "1.52", "1.44", "1.52", ""},
                      VersionCase{"Docker29_7", "1.55", "1.40", "1.55", ""},
                      VersionCase{"Newer", "1.60", "1.50", "1.55", ""},
                      VersionCase{"NoMinimum", "1.100", "", "1.55", ""},
                      VersionCase{"TooOld", "1.40", "1.12", "", "too old"},
                      VersionCase{"MuchTooOld", "1.9", "1.1", "", "too old"},
                      VersionCase{"TooNew", "1.70", "1.56", "", "too new"},
                      VersionCase{"NotDocker", "", "", "", "not a Docker Engine"},
                      VersionCase{"Nonsense", "1.x", "", "", "not a Docker Engine"}),
    [](const auto& one) { return std::string(one.param.name); });

// ---- Containers ---------------------------------------------------------------------------------

constexpr auto inspected_text = R"({
  "Id": "3f2c", "Name": "/shop-backend-2", "Image": "sha256:aa", "RestartCount": 3,
  "Created": "2026-11-23T00:07:23.123456789Z",
  "State": {"Status": "restarting", "Running": true, "Restarting": true, "OOMKilled": true,
            "ExitCode": 137, "Error": "out of\u001b[31m luck",
            "StartedAt": "2026-11-23T00:08:00Z", "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": {"Status": "unhealthy", "FailingStreak": 3,
                       "Log": [{"Output": "old"}, {"ExitCode": 1, "Output": " refused\n"}]}},
  "Config": {"Image": "acme/backend@sha256:bb",
             "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "backend",
                        "com.docker.compose.container-number": "2",
                        "com.docker.compose.oneoff": "False",
                        "com.docker.compose.project.working_dir": "/srv/shop",
                        "com.docker.compose.project.config_files": "/srv/shop/a,/srv/shop/b",
                        "com.docker.compose.version": "2.26.1",
                        "com.docker.compose.config-hash": "cafe"}},
  "HostConfig": {"RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
                 "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}],
                                  "53/udp": [{"HostIp": "", "HostPort": ""}]}},
  "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"},
                                           {"HostIp": "::", "HostPort": "8080"}],
                                "53/udp": [{"HostIp": "", "HostPort": "53"}],
                                "9000/tcp": null}},
  "Mounts": [{"Type": "bind", "Source": "/srv/shop/nginx.conf", "Destination": "/etc/nginx.conf"},
             {"Type": "volume", "Name": "data", "Destination": "/data"}]})";

TEST(EngineJson, InspectedContainer) {
  const Container got = parse_container(json(inspected_text));
  EXPECT_EQ(got.id, "3f2c");
  EXPECT_EQ(got.name, "shop-backend-2");
  EXPECT_EQ(got.project, "shop");
  EXPECT_EQ(got.service, "backend");
  EXPECT_EQ(got.number, 2);
  EXPECT_FALSE(got.oneoff);
  EXPECT_TRUE(got.is_counted);
  EXPECT_EQ(got.config_files, "/srv/shop/a,/srv/shop/b");
  EXPECT_EQ(got.working_dir, "/srv/shop");
  EXPECT_EQ(got.compose_version, "2.26.1");
  EXPECT_EQ(got.config_hash, "cafe");
  EXPECT_EQ(got.image, "acme/backend@sha256:bb");
  EXPECT_EQ(got.image_id, "sha256:aa");
  EXPECT_EQ(got.state, ContainerState::restarting);
  EXPECT_EQ(got.health, Health::unhealthy);
  EXPECT_EQ(got.exit_code, 137);
  EXPECT_TRUE(got.oom_killed);
  EXPECT_EQ(got.error, "out of?[31m luck");
  EXPECT_EQ(got.restart_count, 3);
  EXPECT_EQ(got.restart_policy, "unless-stopped");
  EXPECT_EQ(format_time(got.created_at), "2026-11-23T00:07:23.123Z");
  EXPECT_EQ(format_time(got.started_at), "2026-11-23T00:08:00.000Z");
  EXPECT_EQ(got.finished_at, WallTime{});
  EXPECT_EQ(got.last_health_output, "refused");
  ASSERT_EQ(got.ports.size(), 3U);
  const auto udp = std::find_if(got.ports.begin(), got.ports.end(),
                                [](const auto& port) { return port.protocol == "udp"; });
  ASSERT_NE(udp, got.ports.end());
  EXPECT_EQ(udp->host_port, 53);
  EXPECT_TRUE(udp->is_chance);
  EXPECT_FALSE(got.ports[got.ports.front().protocol == "udp" ? 1 : 0].is_chance);
  const std::map<std::string, std::string> mounts{{"/etc/nginx.conf", "/srv/shop/nginx.conf"}};
  EXPECT_EQ(got.bind_mounts, mounts);
  EXPECT_EQ(got.volumes, (std::map<std::string, std::string>{{"/data", "data"}}));
}

TEST(EngineJson, ContainersThatAComposeTakesForOnesOfTheService) {
  struct Row {
    const char* labels;
    bool is_marked;
    bool is_counted;
  };
  for (const Row& row : {
           Row{R"("com.docker.compose.oneoff": "False", "com.docker.compose.config-hash": "cafe")",
               true, true},
           Row{R"("com.docker.compose.oneoff": "False")", true, true},
           Row{R"("com.docker.compose.config-hash": "cafe")", false, true},
           Row{R"("com.docker.compose.oneoff": "True", "com.docker.compose.config-hash": "cafe")",
               false, false},
           Row{R"("com.docker.compose.service": "web")", false, false},
       }) {
    const std::string text = std::string(R"({"Labels": {)") + row.labels + "}}";
    const Container got = parse_listed_container(json(text));
    EXPECT_EQ(got.is_marked, row.is_marked) << row.labels;
    EXPECT_EQ(got.is_counted, row.is_counted) << row.labels;
  }
}

TEST(EngineJson, ListedContainer) {
  const Container got = parse_listed_container(json(R"({
      "Id": "3f2c", "Names": ["/shop_web_1"], "Image": "nginx", "ImageID": "sha256:aa",
      "Created": 1795392443, "State": "exited", "Status": "Exited (0) 2 hours ago",
      "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.oneoff": "True"},
      "Ports": [{"PrivatePort": 9000, "Type": "tcp"},
                {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]})"));
  EXPECT_EQ(got.name, "shop_web_1");
  EXPECT_EQ(got.project, "shop");
  EXPECT_TRUE(got.oneoff);
  EXPECT_FALSE(got.is_counted);
  EXPECT_EQ(got.state, ContainerState::exited);
  EXPECT_EQ(format_time(got.created_at), "2026-11-23T00:07:23.000Z");
  ASSERT_EQ(got.ports.size(), 1U);
  EXPECT_EQ(got.ports[0].host_ip, "127.0.0.1");
  EXPECT_EQ(got.ports[0].host_port, 8080);
}

struct HealthCase {
  const char* name;
  const char* state;
  Health health;
};

class EngineHealth : public ::testing::TestWithParam<HealthCase> {};

TEST_P(EngineHealth, IsComparedExactly) {
  const HealthCase& wanted = GetParam();
  const Container got = parse_container(json(R"({"State": )" + std::string(wanted.state) + "}"));
  EXPECT_EQ(got.health, wanted.health);
}

INSTANTIATE_TEST_SUITE_P(
    Docker, EngineHealth,
    ::testing::Values(
        HealthCase{"NoCheck", R"({"Status": "running"})", Health::none},
        HealthCase{"NullCheck", R"({"Status": "running", "Health": null})", Health::none},
        HealthCase{"CheckIsNone", R"({"Health": {"Status": "none"}})", Health::none},
        HealthCase{"Starting", R"({"Health": {"Status": "starting"}})", Health::starting},
        HealthCase{"Healthy", R"({"Health": {"Status": "healthy", "Log": null}})", Health::healthy},
        HealthCase{"Unhealthy", R"({"Health": {"Status": "unhealthy"}})", Health::unhealthy}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(EngineJson, EveryStateIsKnown) {
  for (const auto state : {ContainerState::created, ContainerState::running, ContainerState::paused,
                           ContainerState::restarting, ContainerState::removing,
                           ContainerState::exited, ContainerState::dead}) {
    const std::string text = R"({"State": {"Status": ")" + std::string(to_string(state)) + "\"}}";
    EXPECT_EQ(parse_container(json(text)).state, state) << text;
  }
}

TEST(EngineJson, TellsTheWaysToRegistries) {
  const RegistryRoutes routes =
      parse_info(json(R"({"HttpProxy": "http://proxy:3128", "HttpsProxy": "", "NoProxy": "lan,.lan",
          "RegistryConfig": {"InsecureRegistryCIDRs": ["::1/128", "10.0.0.0/8", "127.0.0.0/8"],
            "IndexConfigs": {"docker.io": {"Secure": true}, "10.9.8.7:5000": {"Secure": false}},
            "Mirrors": ["https://mirror.lan/"]}})"))
          .registries;
  EXPECT_EQ(routes.insecure, std::set<std::string>{"10.9.8.7:5000"});
  EXPECT_EQ(routes.insecure_networks, std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_EQ(routes.mirrors, std::vector<std::string>{"https://mirror.lan/"});
  EXPECT_EQ(routes.http_proxy, "http://proxy:3128");
  EXPECT_EQ(routes.https_proxy, "");
  EXPECT_EQ(routes.no_proxy, "lan,.lan");
}

TEST(EngineJson, ForeignShapesAreNoCrash) {
  for (const char* text : {"{}", "[]", "null", "7", R"({"State": [], "Config": 1, "Mounts": {}})",
                           R"({"Mounts": [1, null], "NetworkSettings": {"Ports": {"x": [7]}}})",
                           R"({"Names": [1], "Ports": [null], "Labels": null})",
                           R"({"RegistryConfig": {"IndexConfigs": [1], "Mirrors": [1, null]}})"}) {
    EXPECT_EQ(parse_container(json(text)).project, "") << text;
    EXPECT_EQ(parse_listed_container(json(text)).project, "") << text;
    EXPECT_EQ(parse_image(json(text)).id, "") << text;
    EXPECT_FALSE(parse_event(json(text))) << text;
    EXPECT_EQ(parse_info(json(text)).version, "") << text;
  }
}

TEST(EngineJson, Image) {
  const Image got = parse_image(json(R"({"Id": "sha256:aa", "RepoTags": null,
      "RepoDigests": ["acme/backend@sha256:bb", "acme/backend@sha256:cc"], "Size": 123456789,
      "Os": "linux", "Architecture": "arm64"})"));
  EXPECT_EQ(got.id, "sha256:aa");
  EXPECT_EQ(got.repo_digests.size(), 2U);
  EXPECT_TRUE(got.repo_tags.empty());
  EXPECT_EQ(got.size, 123456789U);
  EXPECT_EQ(got.architecture, "arm64");
}

// ---- Events -------------------------------------------------------------------------------------

TEST(EngineJson, WhereAContainerIsReached) {
  const auto json = parse_json(R"({"Id": "c", "HostsPath": "/d/hosts",
      "State": {"Status": "running", "Pid": 812},
      "NetworkSettings": {"Networks": {"shop_default": {"IPAddress": "172.18.0.3",
        "Aliases": ["api", "c0ffee"]}, "other": {"IPAddress": "", "Aliases": null}}}})");
  ASSERT_TRUE(json);
  const Container container = parse_container(*json);
  EXPECT_EQ(container.pid, 812);
  EXPECT_EQ(container.hosts_path, "/d/hosts");
  ASSERT_EQ(container.networks.size(), 2U);
  EXPECT_EQ(container.networks[0].network, "shop_default");
  EXPECT_EQ(container.networks[0].ipv4, "172.18.0.3");
  EXPECT_EQ(container.networks[0].aliases, (std::vector<std::string>{"api", "c0ffee"}));
  EXPECT_EQ(container.networks[1].ipv4, "");
  EXPECT_TRUE(container.networks[1].aliases.empty());
}

TEST(EngineJson, HealthChecks) {
  const auto check = [](const char* text) {
    return parse_image(json(R"({"Config": {"Healthcheck": )" + std::string(text) + "}}"))
        .health_check;
  };
  EXPECT_EQ(check("null"), std::nullopt);
  EXPECT_EQ(check(R"({"Test": ["NONE"]})"), std::nullopt);
  EXPECT_EQ(check(R"({"Interval": 5000000000})"), std::nullopt);
  EXPECT_EQ(check(R"({"Test": ["CMD", "true"], "Interval": 300000000000, "StartPeriod": 2000000000,
                      "StartInterval": 500000000})"),
            (HealthCheck{std::chrono::minutes(5), std::chrono::seconds(2),
                         std::chrono::milliseconds(500)}));
  EXPECT_EQ(check(R"({"Test": ["CMD", "true"], "Interval": -1})"), HealthCheck{});
}

TEST(EngineJson, WhatAContainerSharesWithOthers) {
  const Container alone = parse_container(json(
      R"({"HostConfig": {"NetworkMode": "shop_default", "IpcMode": "private", "PidMode": ""}})"));
  EXPECT_TRUE(alone.shares_with.empty());
  const Container tied = parse_container(
      json(R"({"HostConfig": {"NetworkMode": "container:aa", "IpcMode": "container:bb",
               "PidMode": "host"}})"));
  EXPECT_EQ(tied.shares_with, (std::vector<std::string>{"aa", "bb"}));
}

TEST(EngineJson, TrialIsLikeAContainerButForItsCommandPortsAndFiles) {
  const auto like = parse_json(R"({"Config": {"Env": ["A=1"], "User": "www", "Cmd": ["nginx"],
        "Labels": {"com.docker.compose.project": "shop"}},
      "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}, "Memory": 9,
        "RestartPolicy": {"Name": "always"}, "ExtraHosts": ["db:10.0.0.1"]},
      "NetworkSettings": {"Networks": {"shop_default": {}}},
      "Mounts": [{"Type": "bind", "Source": "/srv/shop/nginx.conf",
                  "Destination": "/etc/nginx/nginx.conf", "RW": false},
                 {"Type": "bind", "Source": "/srv/shop/certs", "Destination": "/certs", "RW": false},
                 {"Type": "volume", "Name": "logs", "Source": "/d/logs", "Destination": "/log",
                  "RW": true},
                 {"Type": "tmpfs", "Source": "", "Destination": "/run", "RW": true}]})");
  ASSERT_TRUE(like);
  ThrowawayRequest request;
  request.image = "sha256:1";
  request.argv = {"nginx", "-t"};
  request.files = {{"/etc/nginx/nginx.conf", "/trial/nginx.conf"}};
  request.hosts = {"api"};
  const auto expected = parse_json(R"({"Image": "sha256:1", "Entrypoint": ["nginx"], "Cmd": ["-t"],
      "Env": ["A=1"], "User": "www", "Healthcheck": {"Test": ["NONE"]},
      "HostConfig": {"Memory": 9, "Mounts": [
        {"Type": "bind", "Target": "/certs", "Source": "/srv/shop/certs", "ReadOnly": true},
        {"Type": "volume", "Target": "/log", "Source": "logs", "ReadOnly": false},
        {"Type": "tmpfs", "Target": "/run"},
        {"Type": "bind", "Source": "/trial/nginx.conf", "Target": "/etc/nginx/nginx.conf",
         "ReadOnly": true}],
        "ExtraHosts": ["db:10.0.0.1", "api:127.0.0.1"], "NetworkMode": "shop_default"}})");
  ASSERT_TRUE(expected);
  EXPECT_EQ(dump_json(throwaway_container(*like, request)), dump_json(*expected));
}

TEST(EngineJson, MemoryIsCountedWithoutTheCache) {
  for (const auto& [stats, bytes] :
       {std::pair{R"({"memory_stats": {"usage": 100, "stats": {"total_inactive_file": 30}}})", 70U},
        {R"({"memory_stats": {"usage": 100, "stats": {"inactive_file": 40}}})", 60U},
        {R"({"memory_stats": {"usage": 10, "stats": {"inactive_file": 40}}})", 0U},
        {"{}", 0U}}) {
    EXPECT_EQ(memory_of_stats(*parse_json(stats)), bytes) << stats;
  }
}

TEST(EngineJson, EventOfAContainer) {
  const auto got = parse_event(json(R"({"status": "die", "id": "3f2c", "Type": "container",
      "Action": "die", "Actor": {"ID": "3f2c", "Attributes": {"exitCode": "137", "name": "shop-web-1",
      "com.docker.compose.project": "shop", "com.docker.compose.service": "web"}},
      "scope": "local", "time": 1795392443, "timeNano": 1795392443123456789})"));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->action, "die");
  EXPECT_EQ(got->exit_code, 137);
  EXPECT_EQ(got->id, "3f2c");
  EXPECT_EQ(got->name, "shop-web-1");
  EXPECT_EQ(got->project, "shop");
  EXPECT_EQ(got->service, "web");
  EXPECT_EQ(got->time_nano, 1795392443123456789);
}

TEST(EngineJson, EventOfAnythingElseIsLeftOut) {
  EXPECT_FALSE(parse_event(json(R"({"Type": "network", "Action": "connect"})")));
  EXPECT_FALSE(parse_event(
      json(R"({"Type": "container", "Action": "start", "Actor": {"ID": "1", "Attributes": {}}})")));
}

// ---- Lines and frames ---------------------------------------------------------------------------

TEST(LineSplitter, GivesLinesWhateverThePieces) {
  for (const auto& pieces : cuts("one\r\n\ntwo three\nlast")) {
    std::vector<std::string> lines;
    const auto keep = [&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    };
    LineSplitter splitter(100);
    for (const auto piece : pieces) EXPECT_TRUE(splitter.feed(piece, keep));
    EXPECT_TRUE(splitter.finish(keep));
    EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "two three", "last"}));
  }
}

TEST(LineSplitter, CutsLongLines) {
  for (const auto& pieces : cuts("abcdefgh\nabcd\nx\n")) {
    std::string lines;
    const auto keep = [&](std::string_view line) {
      lines += std::string(line) + "|";
      return true;
    };
    LineSplitter splitter(4);
    for (const auto piece : pieces) EXPECT_TRUE(splitter.feed(piece, keep));
    EXPECT_EQ(lines, "abcd|efgh|abcd|x|");
  }
}

TEST(LineSplitter, StopsWhenAsked) {
  int seen = 0;
  LineSplitter splitter(100);
  EXPECT_FALSE(splitter.feed("a\nb\nc\n", [&](std::string_view) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2);
  EXPECT_FALSE(splitter.feed("d\ne", [&](std::string_view) { return ++seen > 0; }));
  EXPECT_FALSE(splitter.finish([&](std::string_view) { return ++seen > 0; }));
  EXPECT_EQ(seen, 2);
}

std::string frame(char stream, const std::string& payload) {
  std::string bytes(8, '\0');
  bytes[0] = stream;
  bytes[6] = static_cast<char>(payload.size() >> 8);
  bytes[7] = static_cast<char>(payload.size() & 0xff);
  return bytes + payload;
}

TEST(LogDemultiplexer, SeparatesStreamsWhateverThePieces) {
  const std::string bytes = frame(1, "out 1\n") + frame(2, "err\n") + frame(1, "") +
                            frame(1, "out 2\n") + frame(2, std::string(300, 'x'));
  for (const auto& pieces : cuts(bytes)) {
    std::string out;
    std::string err;
    LogDemultiplexer frames;
    for (const auto piece : pieces) {
      EXPECT_TRUE(frames.feed(piece, [&](LogStream stream, std::string_view payload) {
        (stream == LogStream::out ? out : err) += payload;
        return true;
      }));
    }
    EXPECT_EQ(out, "out 1\nout 2\n");
    EXPECT_EQ(err, "err\n" + std::string(300, 'x'));
  }
}

TEST(LogDemultiplexer, NoticesWhatIsNoFrame) {
  LogDemultiplexer frames;
  const auto ignore = [](LogStream, std::string_view) { return true; };
  EXPECT_FALSE(frames.feed("plain text of a terminal", ignore));
  EXPECT_TRUE(frames.malformed());
}

// ---- Pulls --------------------------------------------------------------------------------------

TEST(PullTracker, AddsUpTheLayers) {
  PullTracker tracker;
  EXPECT_FALSE(tracker.take(R"({"status": "Pulling from acme/backend", "id": "1"})"));
  EXPECT_FALSE(tracker.take(R"({"status": "Pulling fs layer", "progressDetail": {}, "id": "a"})"));
  EXPECT_FALSE(tracker.take(R"({"status": "Already exists", "progressDetail": {}, "id": "z"})"));
  auto now = tracker.take(
      R"({"status": "Downloading", "progressDetail": {"current": 10, "total": 100}, "id": "a"})");
  ASSERT_TRUE(now);
  EXPECT_EQ(now->current, 10U);
  EXPECT_EQ(now->total, 100U);
  now = tracker.take(
      R"({"status": "Downloading", "progressDetail": {"current": 5, "total": 50}, "id": "b"})");
  ASSERT_TRUE(now);
  EXPECT_EQ(now->current, 15U);
  EXPECT_EQ(now->total, 150U);
  now = tracker.take(R"({"status": "Download complete", "progressDetail": {}, "id": "a"})");
  ASSERT_TRUE(now);
  EXPECT_EQ(now->current, 105U);
  now = tracker.take(
      R"({"status": "Extracting", "progressDetail": {"current": 1, "total": 900}, "id": "a"})");
  ASSERT_TRUE(now);
  EXPECT_EQ(now->current, 105U);
  EXPECT_EQ(now->total, 150U);
  EXPECT_EQ(now->status, "Extracting");
  EXPECT_FALSE(
      tracker.take(R"({"status": "Downloading", "progressDetail": {"current": 5}, "id": "c"})"));
  EXPECT_FALSE(tracker.take("not JSON"));
  EXPECT_FALSE(tracker.failure());
}

TEST(PullTracker, NoticesAFailureInTheMiddle) {
  for (const char* line :
       {R"({"errorDetail": {"message": "no space left on device"}})",
        R"({"errorDetail": {"message": "no space left on device"}, "error": ""})",
        R"({"error": "no space left on device"})"}) {
    PullTracker tracker;
    EXPECT_FALSE(tracker.take(line));
    ASSERT_TRUE(tracker.failure()) << line;
    EXPECT_EQ(*tracker.failure(), "no space left on device");
  }
}

struct PullCase {
  const char* name;
  int status;
  const char* message;
  Errc code;
};

class PullFailures : public ::testing::TestWithParam<PullCase> {};

TEST_P(PullFailures, AreToldApart) {
  const PullCase& wanted = GetParam();
  const Error got = pull_error("acme/denied@sha256:bb", wanted.status, wanted.message);
  EXPECT_EQ(got.code, wanted.code) << got.text();
  EXPECT_NE(got.text().find("acme/denied@sha256:bb"), std::string::npos) << got.text();
  EXPECT_EQ(got.text().find('{'), std::string::npos) << "JSON is not for people: " << got.text();
}

INSTANTIATE_TEST_SUITE_P(
    Docker, PullFailures,
    ::testing::Values(
        PullCase{
            "Unknown", 404,
            R"({"message":"manifest for acme/denied@sha256:bb not found: manifest unknown: manifest unknown"})",
            Errc::not_found},
        PullCase{"NoRepositoryInContainerd", 404,
                 R"({"message":"docker.io/acme/denied@sha256:bb: not found"})", Errc::not_found},
        PullCase{
            "Denied", 404,
            R"({"message":"pull access denied for acme/denied, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"})",
            Errc::denied},
        PullCase{
            "Unauthorized", 500,
            R"({"message":"Head \"https://ghcr.io/v2/acme/denied/manifests/latest\": unauthorized"})",
            Errc::denied},
        PullCase{"NoCredentials", 500,
                 R"({"message":"Head \"https://x.dkr.ecr/v2/\": no basic auth credentials"})",
                 Errc::denied},
        PullCase{"RateLimit", 500,
                 R"({"message":"toomanyrequests: You have reached your pull rate limit."})",
                 Errc::unavailable},
        PullCase{
            "Refused", 500,
            R"({"message":"Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused"})",
            Errc::unavailable},
        PullCase{
            "NoSuchHost", 500,
            R"({"message":"Get \"https://r.example/v2/\": dial tcp: lookup r.example on 127.0.0.53:53: no such host"})",
            Errc::unavailable},
        PullCase{
            "Timeout", 500,
            R"~({"message":"Get \"https://r.example/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)"})~",
            Errc::unavailable},
        PullCase{"Handshake", 500,
                 R"({"message":"Get \"https://r.example/v2/\": net/http: TLS handshake timeout"})",
                 Errc::unavailable},
        PullCase{"Eof", 500, R"({"message":"Get \"https://r.example/v2/\": EOF"})",
                 Errc::unavailable},
        PullCase{"ServerError", 500,
                 R"({"message":"received unexpected HTTP status: 502 Bad Gateway"})",
                 Errc::unavailable},
        PullCase{
            "Certificate", 500,
            R"({"message":"Get \"https://r.example/v2/\": x509: certificate signed by unknown authority"})",
            Errc::untrusted},
        PullCase{
            "PlainHttp", 500,
            R"({"message":"Get \"https://r.example/v2/\": http: server gave HTTP response to HTTPS client"})",
            Errc::untrusted},
        PullCase{
            "OtherPlatform", 404,
            R"({"message":"no matching manifest for linux/arm64/v8 in the manifest list entries"})",
            Errc::invalid},
        PullCase{"DiskFull", 200,
                 "failed to register layer: Error processing tar file(exit status 1): write /x: no "
                 "space left on device",
                 Errc::no_space},
        PullCase{"BrokenLayerStore", 200,
                 "failed to register layer: rename "
                 "/var/lib/docker/image/overlay2/layerdb/tmp/write-set-1 "
                 "/var/lib/docker/image/overlay2/layerdb/sha256/1: file exists",
                 Errc::failed},
        PullCase{"BlobCutOff", 200, "unexpected EOF", Errc::unavailable},
        PullCase{"Http2", 200, "http2: server sent GOAWAY and closed the connection",
                 Errc::unavailable},
        PullCase{"BrokenPipe", 200, "write tcp 10.0.0.2:443: write: broken pipe",
                 Errc::unavailable},
        PullCase{"DamagedOnTheWay", 200, "filesystem layer verification failed for digest sha256:1",
                 Errc::unavailable},
        PullCase{"ClockIsWrong", 500,
                 "x509: certificate has expired or is not yet valid: current time "
                 "1970-01-01T00:01:00Z is before 2024-01-01T00:00:00Z",
                 Errc::untrusted},
        PullCase{"LayerStoreRefuses", 200,
                 "failed to register layer: exec: \"unpigz\": executable file not found in $PATH",
                 Errc::failed},
        PullCase{"BrokenDisk", 200, "failed to register layer: read /x: input/output error",
                 Errc::failed},
        PullCase{"NoMemory", 200, "fork/exec /proc/self/exe: cannot allocate memory",
                 Errc::unavailable},
        PullCase{"AnythingElse", 500, R"({"message":"something new"})", Errc::failed}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(EngineErrors, SayWhatTheEngineSays) {
  const Error conflict = engine_error("cannot remove container 3f2c", 409,
                                      R"({"message":"You cannot remove a running container"})");
  EXPECT_EQ(conflict.code, Errc::conflict);
  EXPECT_EQ(conflict.message,
            "cannot remove container 3f2c: You cannot remove a running container");
  EXPECT_EQ(engine_error("x", 400, "client version 1.20 is too old\n").message,
            "x: client version 1.20 is too old");
  EXPECT_EQ(engine_error("x", 500, "").message, "x: status 500");
  EXPECT_EQ(engine_error("x", 500, "write: no space left on device").code, Errc::no_space);
  EXPECT_LT(engine_error("x", 500, std::string(100000, 'y')).message.size(), 2000U);
}

TEST(EngineErrors, VersionRefusalIsKnown) {
  EXPECT_TRUE(is_version_refusal(
      400,
      R"({"message":"client version 1.41 is too old. Minimum supported API version is 1.44"})"));
  EXPECT_FALSE(is_version_refusal(400, R"({"message":"Invalid filter 'x'"})"));
  EXPECT_FALSE(is_version_refusal(500, "client version"));
}

TEST(DockerEngine, SaysThatDockerDoesNotAnswer) {
  const test::TemporaryFolder folder;
  asio::io_context loop(1);
  DockerEngine engine(folder / "docker.sock");
  auto got = test::await(loop, engine.info());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::unavailable);
  const std::string path = folder / "docker.sock";
  EXPECT_EQ(got.error().text(), "Docker does not answer: cannot connect to " + path +
                                    ": No such file or directory; is docker.service running?");
}

}  // namespace
}  // namespace trimtab
