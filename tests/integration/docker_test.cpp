// The Docker Engine's client against a real Engine and a real registry. Their addresses come from
// TRIMTAB_TEST_DOCKER_SOCKET and TRIMTAB_TEST_REGISTRY (tests/lib/parts run).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <deque>
#include <fstream>

#include "agent/docker/docker_engine.hpp"
#include "common/marked_processes.hpp"
#include "common/process.hpp"
#include "common/text.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/real_parts.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

using namespace std::chrono_literals;
using test::digest_of;
using test::setting;

constexpr auto timeout = 40s;

// Debian's client against the Engine at `socket`; its output.
std::string docker(const std::string& socket, const std::vector<std::string>& arguments) {
  Command command;
  command.argv = {"docker", "-H", "unix://" + socket};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/nonexistent"}};
  auto done = test::await(run(command));
  if (!done) throw std::runtime_error(done.error().text());
  EXPECT_EQ(done->code, 0) << done->err;
  while (done->out.ends_with('\n')) done->out.pop_back();
  return done->out;
}

std::string repository() {
  return setting("TRIMTAB_TEST_REGISTRY") + "/test/app";
}

Task<Result<void>> pull(DockerEngine& engine, std::string digest) {
  return engine.pull(repository(), std::move(digest), "", {}, [](const PullProgress&) {});
}

// `docker run` of the test image as Compose would label it.
std::string run_container(const std::string& socket, const std::string& project,
                          const std::string& service, const std::string& behaviour,
                          const std::vector<std::string>& options) {
  std::vector<std::string> arguments{"run",     "-d",
                                     "--label", "com.docker.compose.project=" + project,
                                     "--label", "com.docker.compose.service=" + service,
                                     "--label", "com.docker.compose.oneoff=False",
                                     "-e",      "BEHAVIOUR=" + behaviour};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.push_back(repository() + "@" + digest_of("test/app", "1"));
  return docker(socket, arguments);
}

class Docker : public ::testing::Test {
 protected:
  Docker() { std::signal(SIGPIPE, SIG_IGN); }
  ~Docker() override {
    for (const auto& id : started_) docker(socket_, {"rm", "-f", "-v", id});
  }

  void SetUp() override {
    auto pulled = await(pull(engine_, digest_of("test/app", "1")));
    ASSERT_TRUE(pulled) << pulled.error().text();
  }

  std::string start(const std::string& service, const std::string& behaviour,
                    const std::vector<std::string>& options = {}) {
    started_.push_back(run_container(socket_, project_, service, behaviour, options));
    return started_.back();
  }

  // All calls of one client on one loop, which its kept connection belongs to.
  template <class T>
  T await(Task<T> task) {
    return test::await(loop_, std::move(task));
  }

  std::vector<Container> containers() {
    auto listed = await(engine_.project_containers(project_));
    EXPECT_TRUE(listed) << listed.error().text();
    return listed ? *listed : std::vector<Container>{};
  }

  // The container once `condition` holds.
  template <class Condition>
  Container wait_for(const std::string& id, Condition condition) {
    const auto deadline = SteadyClock::now() + timeout;
    for (;;) {
      for (const auto& container : containers()) {
        if (container.id == id && condition(container)) return container;
      }
      if (SteadyClock::now() > deadline) throw std::runtime_error(id + " did not come so far");
      EXPECT_TRUE(await(sleep_for(50ms)));
    }
  }

  const std::string socket_ = setting("TRIMTAB_TEST_DOCKER_SOCKET");
  asio::io_context loop_{1};
  DockerEngine engine_{socket_};
  // Of its own for each test: they may run at the same time.
  const std::string project_ =
      std::string("docker-") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::vector<std::string> started_;
};

TEST_F(Docker, SaysWhatItIs) {
  auto info = await(engine_.info());
  ASSERT_TRUE(info) << info.error().text();
  const auto version = parse_api_version(info->api_version);
  ASSERT_TRUE(version);
  EXPECT_GE(*version, (ApiVersion{1, 41}));
  EXPECT_EQ(info->version, docker(socket_, {"version", "--format", "{{.Server.Version}}"}));
  EXPECT_EQ(info->os, "linux");
  EXPECT_FALSE(info->architecture.empty());
  EXPECT_TRUE(info->root_directory.starts_with('/'));
  EXPECT_GT(info->memory, 64U * 1024 * 1024);
}

TEST_F(Docker, ShowsAHealthyContainer) {
  const std::string id =
      start("web", "serve", {"-v", "/etc/hostname:/srv/name:ro", "--restart", "unless-stopped"});
  const Container got =
      wait_for(id, [](const Container& one) { return one.health == Health::healthy; });
  EXPECT_EQ(got.state, ContainerState::running);
  EXPECT_EQ(got.service, "web");
  EXPECT_EQ(got.project, project_);
  EXPECT_EQ(got.image, repository() + "@" + digest_of("test/app", "1"));
  EXPECT_TRUE(got.image_id.starts_with("sha256:"));
  EXPECT_EQ(got.restart_policy, "unless-stopped");
  EXPECT_EQ(got.restart_count, 0);
  EXPECT_GE(got.started_at, got.created_at);
  EXPECT_GT(got.created_at, wall_now() - 1h);
  EXPECT_EQ(got.finished_at, WallTime{});
  EXPECT_EQ(got.bind_mounts.at("/srv/name"), "/etc/hostname");
  auto all = await(engine_.all_containers());
  ASSERT_TRUE(all) << all.error().text();
  const auto listed =
      std::find_if(all->begin(), all->end(), [&](const auto& one) { return one.id == id; });
  ASSERT_NE(listed, all->end());
  EXPECT_EQ(listed->name, got.name);
  EXPECT_EQ(listed->state, ContainerState::running);
  EXPECT_EQ(listed->project, project_);
}

TEST_F(Docker, ListsVolumes) {
  const std::string name = project_ + "_data";
  docker(socket_, {"volume", "create", name});
  const std::string id = start("web", "serve", {"-v", name + ":/data", "-v", "/cache"});
  const Container got = wait_for(id, [](const Container& one) { return one.pid > 0; });
  EXPECT_EQ(got.volumes.at("/data"), name);
  EXPECT_TRUE(is_anonymous_volume(got.volumes.at("/cache")));
  const auto listed = await(engine_.volumes());
  ASSERT_TRUE(listed) << listed.error().text();
  EXPECT_TRUE(listed->contains(name));
  EXPECT_TRUE(listed->contains(got.volumes.at("/cache")));
  docker(socket_, {"rm", "-f", "-v", id});
  docker(socket_, {"volume", "rm", name});
  const auto after = await(engine_.volumes());
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_FALSE(after->contains(name));
}

TEST_F(Docker, ShowsWhyAContainerIsUnhealthy) {
  const std::string id =
      start("web", "unhealthy", {"--health-interval", "200ms", "--health-start-period", "0s"});
  const Container got =
      wait_for(id, [](const Container& one) { return one.health == Health::unhealthy; });
  EXPECT_NE(got.last_health_output.find("404"), std::string::npos) << got.last_health_output;
}

TEST_F(Docker, CountsRestartsAndShowsExitCodes) {
  const std::string looping = start("looping", "exit 3 0", {"--restart", "on-failure:2"});
  const std::string job = start("job", "job 0");
  const Container gave_up = wait_for(looping, [](const Container& one) {
    return one.state == ContainerState::exited && one.restart_count == 2;
  });
  EXPECT_EQ(gave_up.exit_code, 3);
  EXPECT_EQ(gave_up.restart_policy, "on-failure");
  EXPECT_GT(gave_up.finished_at, WallTime{});
  const Container done =
      wait_for(job, [](const Container& one) { return one.state == ContainerState::exited; });
  EXPECT_EQ(done.exit_code, 0);
  const auto both = containers();
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].service, "job");
  EXPECT_EQ(both[1].service, "looping");
}

TEST_F(Docker, ListsOnlyTheProjectsOwn) {
  start("web", "serve");
  start("console", "serve", {"--label", "com.docker.compose.oneoff=True"});
  started_.push_back(run_container(socket_, project_ + "-2", "web", "serve", {}));
  const auto listed = containers();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].service, "web");
}

TEST_F(Docker, StartsStopsAndRemovesAsOftenAsAsked) {
  const std::string id = start("web", "serve", {"-v", "/kept"});
  const std::string volume = docker(socket_, {"inspect", "-f", "{{(index .Mounts 0).Name}}", id});
  for (int i = 0; i < 2; ++i) {
    auto stopped = await(engine_.stop(id));
    EXPECT_TRUE(stopped) << stopped.error().text();
  }
  EXPECT_EQ(containers().at(0).state, ContainerState::exited);
  for (int i = 0; i < 2; ++i) {
    auto begun = await(engine_.start(id));
    EXPECT_TRUE(begun) << begun.error().text();
  }
  const auto before = containers().at(0).started_at;
  auto again = await(engine_.restart(id));
  EXPECT_TRUE(again) << again.error().text();
  EXPECT_GT(containers().at(0).started_at, before);
  auto running = await(engine_.remove(id));
  ASSERT_FALSE(running);
  EXPECT_EQ(running.error().code, Errc::conflict) << running.error().text();
  ASSERT_TRUE(await(engine_.stop(id)));
  for (int i = 0; i < 2; ++i) {
    auto removed = await(engine_.remove(id));
    EXPECT_TRUE(removed) << removed.error().text();
  }
  started_.clear();
  EXPECT_TRUE(containers().empty());
  EXPECT_EQ(docker(socket_, {"volume", "ls", "-q", "--filter", "name=" + volume}), volume);
  docker(socket_, {"volume", "rm", volume});
  auto gone = await(engine_.start(id));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::not_found);
  EXPECT_NE(gone.error().text().find("No such container"), std::string::npos);
}

// ---- Images -------------------------------------------------------------------------------------

TEST_F(Docker, PullsByDigestAndShowsProgress) {
  const std::string digest = digest_of("test/app", "2");
  const std::string pinned = repository() + "@" + digest;
  ASSERT_TRUE(await(engine_.remove_image(pinned)));
  auto missing = await(engine_.image(pinned));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  PullProgress last;
  auto pulled =
      await(engine_.pull(repository(), digest, "", RegistryLogin{"user", "secret", {}, "x"},
                         [&](const PullProgress& progress) { last = progress; }));
  ASSERT_TRUE(pulled) << pulled.error().text();
  EXPECT_FALSE(last.status.empty());
  EXPECT_EQ(last.current, last.total);
  auto image = await(engine_.image(pinned));
  ASSERT_TRUE(image) << image.error().text();
  EXPECT_EQ(image->os, "linux");
  EXPECT_EQ(image->architecture, "amd64");
  EXPECT_GT(image->size, 0U);
  EXPECT_NE(std::find(image->repo_digests.begin(), image->repo_digests.end(), pinned),
            image->repo_digests.end());
  EXPECT_TRUE(image->repo_tags.empty());
  ASSERT_TRUE(await(engine_.tag_image(pinned, "trimtab.local/test/app", "keep-2")));
  image = await(engine_.image("trimtab.local/test/app:keep-2"));
  ASSERT_TRUE(image) << image.error().text();
  ASSERT_TRUE(await(engine_.remove_image("trimtab.local/test/app:keep-2")));
  EXPECT_FALSE(await(engine_.image("trimtab.local/test/app:keep-2")));
  ASSERT_TRUE(await(engine_.remove_image("trimtab.local/test/app:keep-2"))) << "gone is success";
}

TEST_F(Docker, LeavesAnImageInUse) {
  const std::string id = start("web", "serve");
  const std::string pinned = repository() + "@" + digest_of("test/app", "1");
  auto removed = await(engine_.remove_image(pinned));
  EXPECT_TRUE(removed) << removed.error().text();
  EXPECT_TRUE(await(engine_.image(pinned)));
}

TEST_F(Docker, TellsFailedPullsApart) {
  const std::string nobody = "sha256:" + std::string(64, '0');
  auto unknown = await(pull(engine_, nobody));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::not_found) << unknown.error().text();
  auto down = await(engine_.pull("127.0.0.1:1/test/app", nobody, "", {}, {}));
  ASSERT_FALSE(down);
  EXPECT_EQ(down.error().code, Errc::unavailable) << down.error().text();
  auto no_digest = await(engine_.pull(repository(), "latest", "", {}, {}));
  ASSERT_FALSE(no_digest);
  EXPECT_EQ(no_digest.error().code, Errc::invalid);
}

// ---- Logs ---------------------------------------------------------------------------------------

TEST_F(Docker, GivesTheLastLogLinesOfBothStreams) {
  const std::string id = start("backend", "needs-key");
  wait_for(id, [](const Container& one) { return one.state == ContainerState::exited; });
  auto all = await(engine_.last_log_lines(id, 50));
  ASSERT_TRUE(all) << all.error().text();
  // Docker reads the two streams at the same time: the order between them is not certain.
  std::vector<std::string> lines = split(*all, '\n');
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "SECRET_KEY: field required",
                       "Traceback (most recent call last):", "version 1, needs-key"}));
  auto last = await(engine_.last_log_lines(id, 1));
  ASSERT_TRUE(last);
  EXPECT_EQ(*last, split(*all, '\n').back());
}

TEST_F(Docker, RunsACommandInAContainer) {
  const std::string id = start("backend", "serve");
  std::vector<std::string> lines;
  const auto run = [&](std::vector<std::string> argv) {
    lines.clear();
    ExecRequest request;
    request.container = id;
    request.argv = std::move(argv);
    request.environment = {{"WHO", "trimtab"}};
    return await(
        engine_.exec(std::move(request), [&](std::string_view line) { lines.emplace_back(line); }));
  };
  const auto well = run({"sh", "-c", "echo $WHO $VERSION; sleep 1; echo late; exit 0"});
  ASSERT_TRUE(well) << well.error().text();
  EXPECT_EQ(*well, 0);
  EXPECT_EQ(lines, (std::vector<std::string>{"trimtab 1", "late"}));
  const auto badly = run({"sh", "-c", "echo wrong >&2; exit 3"});
  ASSERT_TRUE(badly) << badly.error().text();
  EXPECT_EQ(*badly, 3);
  EXPECT_EQ(lines, std::vector<std::string>{"wrong"});
  docker(socket_, {"stop", "-t", "0", id});
  const auto stopped = run({"true"});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::conflict);
}

TEST_F(Docker, ACommandInAContainerIsEndedByItsMark) {
  const std::string id = start("backend", "serve");
  ExecRequest request;
  request.container = id;
  request.argv = {"sh", "-c", "sleep 1000 & echo ready; sleep 1000"};
  request.environment = {{"TRIMTAB_TEST_MARK", id}};
  int ended = 0;
  const auto exit = await(engine_.exec(std::move(request), [&](std::string_view line) {
    EXPECT_EQ(line, "ready");
    ended = kill_by_environment("TRIMTAB_TEST_MARK=" + id);
  }));
  ASSERT_TRUE(exit) << exit.error().text();
  EXPECT_EQ(*exit, 137);
  EXPECT_GE(ended, 2);
  EXPECT_EQ(kill_by_environment("TRIMTAB_TEST_MARK=" + id), 0);
}

TEST_F(Docker, GivesTheLogOfATerminal) {
  const std::string id = start("backend", "job 0", {"-t"});
  wait_for(id, [](const Container& one) { return one.state == ContainerState::exited; });
  auto all = await(engine_.last_log_lines(id, 50));
  ASSERT_TRUE(all) << all.error().text();
  EXPECT_EQ(*all, "version 1, job 0\njob done");
}

TEST_F(Docker, FollowsALogToTheContainersEnd) {
  const std::string id = start("backend", "exit 0 2");
  std::vector<std::string> lines;
  const auto keep = [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  };
  auto followed = await(engine_.follow_logs(id, {10, {}}, true, keep));
  ASSERT_TRUE(followed) << followed.error().text();
  EXPECT_EQ(lines, (std::vector<std::string>{"version 1, exit 0 2", "exiting with 0"}));
}

TEST_F(Docker, StopsFollowingWhenAsked) {
  const std::string id = start("backend", "serve");
  wait_for(id, [](const Container& one) { return one.health == Health::healthy; });
  int seen = 0;
  auto followed =
      await(engine_.follow_logs(id, {10, {}}, true, [&](std::string_view) { return ++seen < 2; }));
  ASSERT_TRUE(followed) << followed.error().text();
  EXPECT_EQ(seen, 2);
}

// ---- Events -------------------------------------------------------------------------------------

// A stream of events on a loop that turns while the test waits for one of them.
class EventWatch {
 public:
  EventWatch(asio::io_context& loop, DockerEngine& engine, std::int64_t since_nano)
      : loop_(loop), group_(loop.get_executor()) {
    group_.spawn("events", watch(&engine, since_nano));
  }
  ~EventWatch() {
    group_.cancel();
    turn_until([this] { return group_.size() == 0; });
  }
  EventWatch(const EventWatch&) = delete;
  EventWatch& operator=(const EventWatch&) = delete;

  template <class Condition>
  bool turn_until(Condition condition) {
    const auto deadline = SteadyClock::now() + timeout;
    while (!condition() && SteadyClock::now() < deadline) {
      loop_.restart();
      loop_.run_one_for(1s);
    }
    return condition();
  }
  [[nodiscard]] bool seen(const std::string& id, std::string_view action) const {
    return std::any_of(events.begin(), events.end(), [&](const EngineEvent& event) {
      return event.id == id && event.action == action;
    });
  }

  bool connected = false;
  std::vector<EngineEvent> events;
  std::optional<Result<void>> end;

 private:
  Task<void> watch(DockerEngine* engine, std::int64_t since_nano) {
    std::function<void()> on_connected = [this] { connected = true; };
    std::function<void(const EngineEvent&)> on_event = [this](const EngineEvent& event) {
      events.push_back(event);
    };
    end = co_await engine->events(since_nano, std::move(on_connected), std::move(on_event));
  }

  asio::io_context& loop_;
  TaskGroup group_;
};

TEST_F(Docker, TellsWhatHappensToContainers) {
  EventWatch watch(loop_, engine_, 0);
  ASSERT_TRUE(watch.turn_until([&] { return watch.connected; }));
  const std::string web = start("web", "serve", {"--health-interval", "200ms"});
  ASSERT_TRUE(watch.turn_until([&] { return watch.seen(web, "health_status: healthy"); }));
  EXPECT_TRUE(watch.seen(web, "create"));
  EXPECT_TRUE(watch.seen(web, "start"));
  const std::string job = start("job", "job 7");
  ASSERT_TRUE(watch.turn_until([&] { return watch.seen(job, "die"); }));
  const auto die = std::find_if(
      watch.events.begin(), watch.events.end(),
      [&](const EngineEvent& event) { return event.id == job && event.action == "die"; });
  EXPECT_EQ(die->exit_code, 7);
  EXPECT_EQ(die->service, "job");
  EXPECT_EQ(die->project, project_);
  EXPECT_FALSE(die->name.empty());
  for (const auto& event : watch.events) {
    EXPECT_FALSE(event.action.starts_with("exec_")) << "each health check would be an event";
  }
  EXPECT_FALSE(watch.end);

  // What came after the container's start, and nothing again that was seen.
  const auto healthy =
      std::find_if(watch.events.begin(), watch.events.end(), [&](const EngineEvent& event) {
        return event.id == web && event.action.starts_with("health_status");
      });
  EventWatch later(loop_, engine_, healthy->time_nano);
  ASSERT_TRUE(later.turn_until([&] { return later.seen(job, "die"); }));
  EXPECT_FALSE(later.seen(web, "start"));
  EXPECT_FALSE(later.seen(web, "health_status: healthy"));
}

// An Engine that a test may stop, without a network. It shares nothing with the others.
class OwnEngine {
 public:
  OwnEngine() { begin(); }
  ~OwnEngine() { stop(SIGTERM); }
  OwnEngine(const OwnEngine&) = delete;
  OwnEngine& operator=(const OwnEngine&) = delete;

  [[nodiscard]] std::string socket() const { return folder_ / "d.sock"; }

  void begin() {
    // A killed Engine leaves its process id, which may be another's by now.
    std::filesystem::remove(folder_ / "d.pid");
    std::vector<std::string> argv{"dockerd",         "--data-root",     folder_ / "data",
                                  "--exec-root",     folder_ / "exec",  "--pidfile",
                                  folder_ / "d.pid", "--host",          "unix://" + socket(),
                                  "--bridge=none",   "--iptables=false"};
    std::vector<char*> pointers;
    for (auto& word : argv) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    std::array<char*, 2> environment{path.data(), nullptr};
    const std::string log = folder_ / "log";
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    const int failed = ::posix_spawnp(&pid_, "/usr/sbin/dockerd", &files, nullptr, pointers.data(),
                                      environment.data());
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) throw std::runtime_error("cannot start dockerd");
  }

  void wait_until_up(asio::io_context& loop, DockerEngine& engine) const {
    const auto deadline = SteadyClock::now() + timeout;
    for (auto info = test::await(loop, engine.info()); !info;
         info = test::await(loop, engine.info())) {
      const bool dead = ::waitpid(pid_, nullptr, WNOHANG) != 0;
      if (dead || SteadyClock::now() > deadline) throw std::runtime_error(info.error().text());
      EXPECT_TRUE(test::await(loop, sleep_for(50ms)));
    }
  }

  void signal(int number) const { ::kill(pid_, number); }
  void stop(int number) {
    if (pid_ <= 0) return;
    signal(number);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  test::TemporaryFolder folder_;
  pid_t pid_ = -1;
};

TEST(DockerRestart, EndsTheStreamAndWhatHappenedMeanwhileIsToldLater) {
  OwnEngine own;
  asio::io_context loop(1);
  DockerEngine engine(own.socket());
  own.wait_until_up(loop, engine);
  const auto pulled = test::await(loop, pull(engine, digest_of("test/app", "1")));
  ASSERT_TRUE(pulled) << pulled.error().text();
  std::int64_t last = 0;
  std::string id;
  {
    EventWatch watch(loop, engine, 0);
    ASSERT_TRUE(watch.turn_until([&] { return watch.connected; }));
    id = run_container(own.socket(), "shop", "web", "serve",
                       {"--network", "none", "--restart", "always"});
    ASSERT_TRUE(watch.turn_until([&] { return watch.seen(id, "start"); }));
    own.signal(SIGTERM);
    ASSERT_TRUE(watch.turn_until([&] { return watch.end.has_value(); }));
    ASSERT_FALSE(*watch.end);
    EXPECT_EQ(watch.end->error().code, Errc::unavailable) << watch.end->error().text();
    last = watch.events.back().time_nano;
  }
  own.stop(SIGTERM);
  auto down = test::await(loop, engine.project_containers("shop"));
  ASSERT_FALSE(down);
  EXPECT_EQ(down.error().code, Errc::unavailable);
  EXPECT_NE(down.error().text().find("is docker.service running?"), std::string::npos);

  own.begin();
  own.wait_until_up(loop, engine);
  // The Engine starts the container by itself, before anybody watches.
  const auto deadline = SteadyClock::now() + timeout;
  for (;;) {
    auto there = test::await(loop, engine.project_containers("shop"));
    ASSERT_TRUE(there) << there.error().text();
    ASSERT_EQ(there->size(), 1U);
    if (there->at(0).state == ContainerState::running) break;
    ASSERT_LT(SteadyClock::now(), deadline);
    ASSERT_TRUE(test::await(loop, sleep_for(50ms)));
  }
  EventWatch watch(loop, engine, last);
  EXPECT_TRUE(watch.turn_until([&] { return watch.seen(id, "start"); }));
  EXPECT_FALSE(watch.seen(id, "create")) << "that was before";
  docker(own.socket(), {"rm", "-f", id});
}

}  // namespace
}  // namespace trimtab
