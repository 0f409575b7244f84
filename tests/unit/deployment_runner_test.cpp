// What ends a deployment from outside while its images are pulled, how its end is noted, and what
// is left if that cannot be recorded.
#include <gtest/gtest.h>

#include "agent/compose/compose_program.hpp"
#include "agent/execute/deployment_runner.hpp"
#include "agent/git/git_program.hpp"
#include "agent/registry/registry_client.hpp"
#include "common/files.hpp"
#include "tests/lib/absent_docker.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

using namespace std::chrono_literals;

// Has no image, and a pull never ends by itself.
class StandingDocker final : public test::AbsentDocker {
 public:
  int pulls = 0;
  int cut = 0;
  std::function<void()> on_pull;

  Task<Result<void>> pull(std::string, std::string, std::string, std::optional<RegistryLogin>,
                          std::function<void(const PullProgress&)>) override {
    ++pulls;
    on_pull();
    const Result<void> slept = co_await sleep_for(1h);
    if (!slept) ++cut;
    co_return slept;
  }
  Task<Result<EngineInfo>> info() override { co_return EngineInfo(); }
  Task<Result<Image>> image(std::string) override {
    co_return Error{Errc::not_found, "no such image", {}};
  }
  Task<Result<void>> remove(std::string) override { co_return Result<void>(); }
};

class Silence final : public Progress {
  void phase_begun(const Deployment&) override {}
  void pulling(const std::string&, const PullProgress&) override {}
  void waiting_for(const std::map<std::string, std::string>&) override {}
  void note(const std::string&) override {}
  void hook_begun(const std::string&, std::chrono::milliseconds) override {}
};

Task<Result<void>> cannot_be_written(int) {
  co_return Error{Errc::no_space, "No space left on device", {}};
}

Task<Result<void>> is_readable(int) {
  co_return Result<void>();
}

// What a run needs.
template <class DockerKind>
struct Running : testing::Test {
  test::TemporaryFolder folder;
  asio::io_context loop;
  WakeEvent changed{loop.get_executor()};
  StackSettings settings;
  std::string project = "shop";
  Workspace workspace{
      loop.get_executor(),
      std::make_unique<GitProgram>(GitAccess{}, "main", folder / "repo.git", folder.path()),
      folder.path(), folder / "live"};
  RegistryClient registry{RegistryClientOptions{folder / "config.json", folder / "certs", {}, {}}};
  DockerKind docker;
  ComposeProgram compose{(folder / "docker.sock").string(), folder / "empty"};
  Store store = *Store::open(loop.get_executor(), folder / "shop");
  Silence progress;
  Deployment deployment;
};

// A release of two images, which are pulled at the same time.
struct Pulling : Running<StandingDocker> {
  Pulling() {
    settings.name = "shop";
    settings.directory = folder / "live";
    Release release;
    release.number = 1;
    release.commit = std::string(40, 'a');
    release.project = "shop";
    const std::string digest = "@sha256:" + std::string(64, 'b');
    release.images["api"] = {"acme/api:1", "acme/api" + digest, false};
    release.images["web"] = {"acme/web:1", "acme/web" + digest, false};
    EXPECT_TRUE(test::await(store.save(release)));
    deployment.release = 1;
    docker.on_pull = [this] {
      if (docker.pulls == 2) happen();
    };
  }

  std::optional<DeploymentResult> run() {
    RunnerCallbacks hooks;
    hooks.superseded = [this](const Release&) { return superseded; };
    hooks.paused = [this] { return paused; };
    hooks.rerender_for_current_compose = rerender;
    executor.emplace(
        DeploymentDeps{settings, project, registry, docker, compose, store, progress, changed},
        std::move(hooks));
    std::optional<WorkspaceLock> lock = workspace.try_lock();
    return test::await(loop, executor->run(*lock, deployment, false));
  }

  std::optional<DeploymentRunner> executor;
  bool superseded = false;
  bool paused = false;
  std::function<void()> happen;  // once both pulls go on
  std::function<Task<Result<void>>(int)> rerender = is_readable;
};

TEST_F(Pulling, EndsAtOnceWhereANewerCommitIsKnown) {
  happen = [this] {
    superseded = true;
    changed.notify();
  };
  const auto result = run();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->end, DeploymentEnd::superseded);
  EXPECT_EQ(docker.cut, 2);
  EXPECT_EQ(store.find(1)->outcome, Outcome::superseded);
  EXPECT_FALSE(store.in_flight());
}

TEST_F(Pulling, EndsAtOnceWhereAnOperatorPauses) {
  happen = [this] {
    paused = true;
    changed.notify();
  };
  const auto result = run();
  ASSERT_TRUE(result && result->failure);
  EXPECT_EQ(result->end, DeploymentEnd::postponed);
  EXPECT_EQ(result->failure->reason, "shop was paused");
  EXPECT_EQ(docker.cut, 2);
  EXPECT_EQ(store.find(1)->outcome, Outcome::in_progress);
  EXPECT_FALSE(store.in_flight());
}

TEST_F(Pulling, EndsAtOnceWhereItIsToStopAndGoesOnLater) {
  happen = [this] {
    // As a unit does that stops and then has stopped.
    executor->request_stop();
    executor->request_stop();
  };
  deployment.phase_attempts = 1;  // begun once, and cut off by a crash
  EXPECT_FALSE(run());
  EXPECT_EQ(docker.cut, 2);
  ASSERT_TRUE(store.in_flight());
  EXPECT_EQ(store.in_flight()->phase, Phase::pulling);
  EXPECT_EQ(store.in_flight()->phase_attempts, 1) << "one crash, and no more was forgotten";
}

TEST_F(Pulling, GoesOnWhereSomethingElseHasChanged) {
  int turns = 0;
  asio::steady_timer later(loop);
  const std::function<void(const boost::system::error_code&)> next =
      [&](const boost::system::error_code&) {
        EXPECT_EQ(docker.cut, 0);
        superseded = ++turns == 3;
        changed.notify();
        later.expires_after(1ms);
        if (!superseded) later.async_wait(next);
      };
  happen = [&] { next({}); };
  const auto result = run();
  ASSERT_TRUE(result);
  EXPECT_EQ(turns, 3);
  EXPECT_EQ(docker.cut, 2);
}

TEST_F(Pulling, IsNotSuspendedUntilThatIsRecorded) {
  Release good = *store.find(1);
  good.number = 2;
  EXPECT_TRUE(test::await(store.save(good)));
  deployment.release = 1;
  deployment.fallback = 2;
  deployment.phase = Phase::rolling_back;
  deployment.phase_attempts = max_phase_attempts - 1;
  rerender = cannot_be_written;
  deployment.failure = Failure{};
  deployment.failure->reason = "it broke";
  // As on a full disk: neither the phase nor the end can be written.
  const std::filesystem::path records = folder / "shop" / "deployments";
  std::filesystem::remove_all(records);
  EXPECT_TRUE(write_file_durably(records, ""));
  const auto result = run();
  ASSERT_TRUE(result && result->failure);
  EXPECT_EQ(result->end, DeploymentEnd::suspended);
  EXPECT_TRUE(result->failure->reason.starts_with("it broke; rolling back failed too: "))
      << result->failure->reason;
  ASSERT_TRUE(result->unrecorded);
  EXPECT_FALSE(store.in_flight());
  std::filesystem::remove(records);
  std::filesystem::create_directory(records);
  EXPECT_TRUE(test::await(loop, executor->record_end()));
  ASSERT_TRUE(store.in_flight());
  EXPECT_EQ(store.in_flight()->phase, Phase::rolling_back);
  EXPECT_EQ(store.in_flight()->failure->reason, "it broke") << "once, however often it is retried";
}

// Has what release 1 was rolled back to, and works.
class RestoredDocker final : public test::AbsentDocker {
 public:
  Container web;
  int refusals = 0;  // until it answers

  Task<Result<EngineInfo>> info() override { co_return EngineInfo(); }
  Task<Result<std::vector<Container>>> project_containers(std::string) override {
    if (refusals > 0 && refusals-- > 0)
      co_return Error{Errc::unavailable, "connection refused", {}};
    co_return std::vector<Container>{web};
  }
  Task<Result<std::set<std::string>>> volumes() override { co_return std::set<std::string>(); }
  Task<Result<Image>> image(std::string) override {
    Image image;
    image.id = web.image_id;
    co_return image;
  }
};

// Release 2 failed, and release 1 is running again.
struct RollingBack : Running<RestoredDocker> {
  RollingBack() {
    settings.name = "shop";
    settings.directory = folder / "live";
    settings.gate.stable = 0ms;
    for (const int number : {1, 2}) {
      Release release;
      release.number = number;
      release.commit = std::string(40, 'a');
      release.project = "shop";
      release.images["web"] = {"acme/web:1", "acme/web@sha256:" + std::string(64, 'b'), false};
      EXPECT_TRUE(test::await(store.save(release)));
      EXPECT_TRUE(
          test::await(store.save_rendering(number, "services:\n  web:\n    image: acme/web:1\n")));
    }
    Step put_back;
    put_back.service = "web";
    put_back.action = Action::recreate;
    deployment.id = 1;
    deployment.release = 2;
    deployment.fallback = 1;
    deployment.phase = Phase::gating_rollback;
    deployment.return_plan.steps = {put_back};
    RunningSet touched;
    touched.release = 1;
    touched.services["web"] = {1, {"old"}, false, true};
    EXPECT_TRUE(test::await(store.set_running(touched)));
    docker.web.id = "new";
    docker.web.name = "shop-web-1";
    docker.web.project = "shop";
    docker.web.service = "web";
    docker.web.is_marked = true;
    docker.web.is_counted = true;
    docker.web.working_dir = settings.directory.string();
    docker.web.config_files = store.compose_file(1).string();
    docker.web.image_id = "sha256:id";
    docker.web.state = ContainerState::running;
  }
};

TEST_F(RollingBack, EndsOnceWhatRunsIsNoted) {
  const std::filesystem::path in_the_way = store.release_directory(1) / "boot.yaml";
  std::filesystem::create_directories(in_the_way / "full");
  RunnerCallbacks hooks;
  hooks.rerender_for_current_compose = is_readable;
  DeploymentRunner runner({settings, project, registry, docker, compose, store, progress, changed},
                          std::move(hooks));
  std::optional<WorkspaceLock> lock = workspace.try_lock();
  const auto result = test::await(loop, runner.run(*lock, deployment, true));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->end, DeploymentEnd::rolled_back);
  EXPECT_TRUE(result->unrecorded);
  EXPECT_EQ(store.in_flight()->phase_attempts, 1) << "what passed its gate is not judged again";
  EXPECT_FALSE(test::await(loop, runner.record_end()));
  std::filesystem::remove_all(in_the_way);
  EXPECT_TRUE(test::await(loop, runner.record_end()));
  EXPECT_FALSE(store.in_flight());
  EXPECT_EQ(store.find(2)->outcome, Outcome::rolled_back);
  EXPECT_TRUE(store.running().is_whole());
  EXPECT_TRUE(store.running().has("web", "new"));
}

TEST_F(RollingBack, WhatWaitedForDockerHasNotKilledTheDaemon) {
  deployment.phase_attempts = max_phase_attempts - 1;
  docker.refusals = 1;
  RunnerCallbacks hooks;
  hooks.rerender_for_current_compose = is_readable;
  DeploymentRunner runner({settings, project, registry, docker, compose, store, progress, changed},
                          std::move(hooks));
  std::optional<WorkspaceLock> lock = workspace.try_lock();
  const auto result = test::await(loop, runner.run(*lock, deployment, true));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->end, DeploymentEnd::rolled_back);
  EXPECT_EQ(store.deployments().at(1).phase_attempts, max_phase_attempts);
}

}  // namespace
}  // namespace trimtab
