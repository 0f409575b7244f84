// Which Compose is used, and what it is given: scripts in its place.
#include "agent/compose/compose_program.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using test::await;
using test::TemporaryFolder;

constexpr const char* no_plugin = "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1";

std::string says(const std::string& version) {
  return "echo " + version;
}

// %s: the commit.
constexpr const char* default_project = R"({"services": {"web": {"image": "web:%s"}}})";

// A host whose PATH has these scripts alone.
class ComposeHost : public testing::Test {
 protected:
  ComposeHost() {
    fs::create_directory(programs_);
    ::setenv("PATH", programs_.c_str(), 1);
  }
  ~ComposeHost() override { ::setenv("PATH", path_.c_str(), 1); }
  ComposeHost(const ComposeHost&) = delete;
  ComposeHost& operator=(const ComposeHost&) = delete;

  // `version`: what it does when it is asked for its version.
  void install(const std::string& name, const std::string& version,
               const std::string& project = default_project) const {
    const fs::path written = programs_ / (name + ".new");
    std::ofstream(written) << "#!/bin/sh\nfor word; do [ \"$word\" != version ] || {\n"
                           << version << "\nexit; }; done\n"
                           << "printf '" << project << "' \"$TRIMTAB_COMMIT\"\n";
    fs::permissions(written, fs::perms::owner_all);
    fs::rename(written, programs_ / name);
  }
  void remove(const std::string& name) const { fs::remove(programs_ / name); }
  // "docker compose 2.26.1", or the kind of error.
  std::string refresh() {
    const Result<void> found = await(compose_.refresh());
    if (found) return compose_.tool().display();
    EXPECT_EQ(compose_.problem(), found.error());
    return found.error().code == Errc::not_found     ? "none"
           : found.error().code == Errc::unavailable ? "cannot tell"
                                                     : found.error().text();
  }

  const std::string path_ = std::getenv("PATH");
  TemporaryFolder folder_;
  const fs::path programs_ = folder_.path() / "bin";
  ComposeProgram compose_{"/run/docker.sock", folder_ / "empty"};
};

TEST_F(ComposeHost, ThePluginGoesBeforeTheOldProgram) {
  install("docker", says("v2.26.1"));
  install("docker-compose", says("1.29.2"));
  EXPECT_EQ(refresh(), "docker compose 2.26.1");
}

TEST_F(ComposeHost, OnlyADockerThatHasNoPluginMeansTheOther) {
  install("docker-compose", says("1.29.2"));
  for (const char* reason : {"kill -KILL $$", "echo 'cannot allocate memory' >&2; exit 1", "exit 1",
                             "echo 'no version'"}) {
    install("docker", reason);
    EXPECT_EQ(refresh(), "cannot tell") << reason;
    EXPECT_TRUE(compose_.tool().version.empty()) << reason;
  }
  install("docker", no_plugin);
  EXPECT_EQ(refresh(), "docker-compose 1.29.2");
}

TEST_F(ComposeHost, NoneOrOneThatIsTooOld) {
  EXPECT_EQ(refresh(), "none");
  install("docker-compose", says("1.25.0"));
  EXPECT_EQ(refresh(), "none");
  install("docker-compose", says("2.40.3"));
  EXPECT_EQ(refresh(), "docker-compose 2.40.3");
  EXPECT_EQ(compose_.problem(), std::nullopt);
}

TEST_F(ComposeHost, AnUpgradeIsNoticed) {
  install("docker", says("2.26.1"));
  EXPECT_EQ(refresh(), "docker compose 2.26.1");
  install("docker", says("2.40.3"));
  EXPECT_EQ(refresh(), "docker compose 2.40.3");
}

TEST_F(ComposeHost, WhatIsGoneForAMomentIsWaitedFor) {
  install("docker", says("2.26.1"));
  install("docker-compose", says("1.29.2"));
  EXPECT_EQ(refresh(), "docker compose 2.26.1");
  install("docker", no_plugin);
  EXPECT_EQ(refresh(), "cannot tell");
  install("docker", says("2.26.1"));
  EXPECT_EQ(refresh(), "docker compose 2.26.1");
}

TEST_F(ComposeHost, ThePluginIsRunByItselfIfItIsTheSame) {
  ::setenv("DOCKER_CONFIG", (folder_ / "config").c_str(), 1);
  fs::create_directories(folder_ / "config/cli-plugins");
  const std::string plugin = "../config/cli-plugins/docker-compose";
  const auto rendered_by = [this] {
    EXPECT_EQ(refresh(), "docker compose 2.26.1");
    RenderRequest request;
    request.directory = folder_.path();
    request.files = {"compose.yaml"};
    request.project = "shop";
    const Result<Rendered> rendered = await(compose_.render(request));
    return rendered ? json_string(rendered->model, "by") : rendered.error().text();
  };
  install("docker", says("v2.26.1"), R"({"by": "docker%s"})");
  EXPECT_EQ(rendered_by(), "docker");
  install(plugin, says("2.26.1"), R"({"by": "plugin%s"})");
  EXPECT_EQ(rendered_by(), "plugin");
  install(plugin, says("2.40.3"), R"({"by": "another%s"})");
  EXPECT_EQ(rendered_by(), "docker") << "docker says that it runs another one";
  install(plugin, says("2.26.1"), R"({"by": "plugin%s"})");
  EXPECT_EQ(rendered_by(), "plugin");
  remove(plugin);
  UpRequest up;
  up.directory = folder_.path();
  const Result<void> gone = await(compose_.up(up));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::unavailable) << gone.error().text();
  EXPECT_EQ(rendered_by(), "docker");
  ::unsetenv("DOCKER_CONFIG");
}

TEST_F(ComposeHost, RendersWithTheIdOfTheCommit) {
  // The daemon's own environment does not count.
  ::setenv("TRIMTAB_COMMIT", "of-the-daemon", 1);
  for (const char* version : {"1.29.2", "2.40.3"}) {
    install("docker-compose", says(version));
    EXPECT_EQ(refresh(), std::string("docker-compose ") + version);
    RenderRequest request;
    request.directory = folder_.path();
    request.files = {"compose.yaml"};
    request.project = "shop";
    request.commit = std::string(40, 'c');
    const Result<Rendered> rendered = await(compose_.render(request));
    ASSERT_TRUE(rendered) << rendered.error().text();
    EXPECT_EQ(rendered->model["services"]["web"]["image"], "web:" + request.commit);
  }
  ::unsetenv("TRIMTAB_COMMIT");
}

TEST_F(ComposeHost, AnOldComposeCanReadTheRangesOfPortsThatItWrites) {
  install("docker-compose", says("1.29.2"),
          R"({"services": {"db": {"image": "%s"}, "web": {"ports": [
      {"published": "8000-8005", "target": 80}, {"published": 90, "target": 90}, "1-2:3/udp",
      {"published": "9000-9001", "target": 81, "protocol": "udp"}, {"target": 7}]}}})");
  EXPECT_EQ(refresh(), "docker-compose 1.29.2");
  RenderRequest request;
  request.directory = folder_.path();
  request.files = {"compose.yaml"};
  const Result<Rendered> rendered = await(compose_.render(request));
  ASSERT_TRUE(rendered) << rendered.error().text();
  EXPECT_EQ(dump_json(rendered->model["services"]["web"]["ports"]),
            R"(["8000-8005:80/tcp",{"published":90,"target":90},"1-2:3/udp",)"
            R"("9000-9001:81/udp",{"target":7}])");
}

}  // namespace
}  // namespace trimtab
