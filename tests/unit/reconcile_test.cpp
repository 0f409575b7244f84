// The small parts of the reconciler: staging, events, turns, and when to ask again.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <fstream>

#include "agent/reconcile/admission.hpp"
#include "agent/reconcile/compose_inputs.hpp"
#include "agent/reconcile/docker_return.hpp"
#include "agent/reconcile/events.hpp"
#include "agent/reconcile/heartbeats.hpp"
#include "agent/reconcile/host_memory.hpp"
#include "agent/reconcile/inputs.hpp"
#include "agent/reconcile/mend_tries.hpp"
#include "agent/reconcile/next_wake.hpp"
#include "agent/reconcile/projects.hpp"
#include "agent/reconcile/renewed_files.hpp"
#include "agent/reconcile/reporter.hpp"
#include "agent/reconcile/stack_status.hpp"
#include "agent/reconcile/staging.hpp"
#include "agent/reconcile/state_directory.hpp"
#include "agent/reconcile/vain_tries.hpp"
#include "agent/sources/backoff.hpp"
#include "common/async_mutex.hpp"
#include "common/files.hpp"
#include "common/json.hpp"
#include "common/text.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// ---- Projects ---------------------------------------------------------------------------------

TEST(Projects, AreOneStacksEach) {
  Projects projects;
  EXPECT_EQ(projects.claim("shop", "production"), "");
  EXPECT_EQ(projects.claim("shop", "production"), "");
  EXPECT_EQ(projects.claim("shop", "staging"), "production");
  EXPECT_EQ(projects.other_holder("shop", "staging"), "production");
  EXPECT_EQ(projects.other_holder("shop", "production"), "");
  // One has one project.
  EXPECT_EQ(projects.claim("store", "production"), "");
  EXPECT_EQ(projects.claim("shop", "staging"), "");
  projects.release("staging");
  EXPECT_EQ(projects.other_holder("shop", "production"), "");
  EXPECT_EQ(projects.other_holder("store", "staging"), "production");
}

// ---- Requests ---------------------------------------------------------------------------------

TEST(Admission, OnlyWhatHasBegunRefusesARequest) {
  struct Case {
    bool is_paused, is_stopped, is_deploying, has_open_request;
    std::string answer;
  };
  const std::vector<Case> cases{
      {false, false, false, false, "accepted"},
      // Whether it is looked at, or waits for an image or another stack.
      {false, false, false, true, "supersedes"},
      {false, false, true, false, "shop is busy with a deployment"},
      {false, false, true, true, "shop is busy with a deployment"},
      {true, false, false, false, "shop is paused"},
      {true, false, false, true, "shop is paused"},
      {false, true, false, true, "shop is stopped"},
      {true, true, true, true, "shop is paused"},
  };
  for (const Case& c : cases) {
    AdmissionInput input{"shop",       "shop.service", c.is_paused,
                         c.is_stopped, c.is_deploying, c.has_open_request};
    const Result<Admission> admission = admit(input);
    const std::string answer = !admission                          ? admission.error().message
                               : *admission == Admission::accepted ? "accepted"
                                                                   : "supersedes";
    EXPECT_EQ(answer, c.answer);
    if (admission) continue;
    EXPECT_EQ(admission.error().code, Errc::conflict);
    EXPECT_NE(admission.error().hint, "");
  }
}

// ---- Docker's return --------------------------------------------------------------------------

Container container_in(ContainerState state, const std::string& id = "id") {
  Container container;
  container.id = id;
  container.service = "web";
  container.state = state;
  return container;
}

TEST(DockerReturn, WhatRanBeforeAndDoesNotIsLeftDown) {
  using enum ContainerState;
  Container failed = container_in(exited);
  failed.exit_code = 137;
  EXPECT_EQ(not_restarted_by_docker({failed}, {container_in(running)}, nullptr).size(), 1U);
  EXPECT_TRUE(not_restarted_by_docker({failed}, {container_in(exited)}, nullptr).empty());
  EXPECT_TRUE(
      not_restarted_by_docker({failed}, {container_in(running, "another")}, nullptr).empty());
  EXPECT_TRUE(not_restarted_by_docker({failed}, {}, nullptr).empty());
  EXPECT_TRUE(
      not_restarted_by_docker({container_in(running)}, {container_in(running)}, nullptr).empty());
  // A job that was at its work and has done it.
  EXPECT_TRUE(
      not_restarted_by_docker({container_in(exited)}, {container_in(running)}, nullptr).empty());
}

TEST(DockerReturn, WhatDockerStartedInAStoppedStackIsToldFromWhatPeopleStarted) {
  using enum ContainerState;
  const WallTime docker_was_up = wall_now();
  struct Row {
    ContainerState state;
    int started_after_docker;  // seconds
    bool by_hand;
    bool expected;
  };
  const std::vector<Row> rows{
      {running, -1, false, true},  {running, 0, false, true},     {running, 1, false, false},
      {running, -1, true, false},  {restarting, -1, false, true}, {exited, -1, false, false},
      {created, -1, false, false},
  };
  for (const Row& row : rows) {
    Container container = container_in(row.state);
    container.started_at = docker_was_up + std::chrono::seconds(row.started_after_docker);
    const std::set<std::string> by_hand{row.by_hand ? "id" : "another"};
    EXPECT_EQ(restarted_by_docker({container}, docker_was_up, by_hand).size(),
              row.expected ? 1U : 0U)
        << to_string(row.state) << " " << row.started_after_docker;
  }
}

// ---- Tries to mend ----------------------------------------------------------------------------

TEST(MendTries, OfTheSameComeLaterEachTime) {
  using std::chrono::minutes;
  const SteadyClock::time_point start = SteadyClock::now();
  MendTries tries;
  EXPECT_TRUE(tries.is_due("5 a compose", start));
  tries.note_failure("5 a compose", start, 0.5);
  EXPECT_FALSE(tries.is_due("5 a compose", start + std::chrono::seconds(59)));
  EXPECT_TRUE(tries.is_due("5 a compose", start + minutes(1)));
  tries.note_failure("5 a compose", start, 0.5);
  EXPECT_FALSE(tries.is_due("5 a compose", start + minutes(1)));
  EXPECT_TRUE(tries.is_due("5 a compose", start + minutes(2)));
  // Another commit or Compose may do what this one cannot.
  EXPECT_TRUE(tries.is_due("5 b compose", start));
  tries.note_failure("5 b compose", start, 0.5);
  EXPECT_TRUE(tries.is_due("5 b compose", start + minutes(1)));
}

// ---- Signs of life --------------------------------------------------------------------------

// ---- Tries in vain ----------------------------------------------------------------------------

ReleaseRecord tried(int number, Outcome outcome, FailureCause cause, const char* last_phase) {
  ReleaseRecord release;
  release.number = number;
  release.content_key = "a";
  release.outcome = outcome;
  release.created_at = WallTime(std::chrono::minutes(number));
  if (outcome != Outcome::good) release.failure = Failure{cause, last_phase, "", "", {}};
  for (const char* phase : {"pulling", "switching", "starting", "gating"}) {
    release.timeline.push_back({phase, release.created_at, 1});
    if (std::string_view(phase) == last_phase) break;
  }
  return release;
}

TEST(VainTries, CountOnlyWhatTheHostMadeFailOnceContainersWereTouched) {
  using enum Outcome;
  constexpr FailureCause host = FailureCause::host;
  EXPECT_TRUE(is_vain(tried(1, rolled_back, host, "gating")));
  EXPECT_TRUE(is_vain(tried(1, failed, host, "starting")));
  EXPECT_FALSE(is_vain(tried(1, in_progress, host, "pulling")));
  EXPECT_FALSE(is_vain(tried(1, rolled_back, host, "switching")));
  EXPECT_FALSE(is_vain(tried(1, rolled_back, FailureCause::release, "gating")));
  EXPECT_FALSE(is_vain(tried(1, good, host, "gating")));
}

TEST(VainTries, CountFromTheNewestOn) {
  using enum Outcome;
  constexpr FailureCause host = FailureCause::host;
  const auto releases = [](std::vector<ReleaseRecord> all) {
    Releases by_number;
    for (ReleaseRecord& release : all) by_number[release.number] = std::move(release);
    return by_number;
  };
  const auto three =
      releases({tried(2, rolled_back, host, "gating"), tried(3, rolled_back, host, "starting"),
                tried(4, failed, host, "gating")});
  EXPECT_EQ(vain_tries(three, "a", WallTime{}), 3);
  EXPECT_EQ(vain_tries(three, "b", WallTime{}), 0);
  // Docker has been away in between.
  EXPECT_EQ(vain_tries(three, "a", WallTime(std::chrono::minutes(3))), 2);
  EXPECT_EQ(vain_tries(three, "a", WallTime(std::chrono::minutes(5))), 0);
  // It has worked in between.
  EXPECT_EQ(
      vain_tries(releases({tried(2, rolled_back, host, "gating"), tried(3, good, host, "gating"),
                           tried(4, rolled_back, host, "gating")}),
                 "a", WallTime{}),
      1);
}

TEST(Heartbeats, TellWhatHangs) {
  const auto now = SteadyClock::now();
  const auto recent = now - std::chrono::minutes(69);
  const auto old = now - std::chrono::minutes(71);
  const auto ahead = now + std::chrono::hours(2);
  struct Row {
    Heartbeats signs;
    std::string_view expected;
  };
  const std::vector<Row> rows{
      {{now, false, now, now}, ""},
      {{recent, false, recent, recent}, ""},
      // A hook of two hours, a remote that is left alone, an image that need not be asked for.
      {{ahead, false, ahead, ahead}, ""},
      {{old, false, now, now}, "its reconciliation"},
      {{old, true, now, now}, ""},
      {{now, false, old, now}, "the watch of its Git remote"},
      {{old, true, old, now}, "the watch of its Git remote"},
      {{now, false, now, old}, "the watch of its images"},
  };
  for (const Row& row : rows) EXPECT_EQ(find_stalled(row.signs, now, stall_timeout), row.expected);
}

// ---- Situation ------------------------------------------------------------------------------

TEST(StackStatus, OfAnUnreachableRemoteSaysWhetherAPersonHasToAct) {
  struct Row {
    Errc code;
    StackState expected;
  };
  const std::vector<Row> rows{
      {Errc::unavailable, StackState::waiting}, {Errc::timed_out, StackState::waiting},
      {Errc::no_space, StackState::waiting},    {Errc::denied, StackState::failed},
      {Errc::not_found, StackState::failed},
  };
  const Intent intent;
  const Observed observed;
  const std::vector<std::string> no_drift;
  ReleaseRecord current;
  current.number = 7;
  for (const Row& row : rows) {
    Fact<RefTip> tip;
    tip.fail(Error{row.code, "the remote refuses", "look at the key"});
    EXPECT_EQ(state_of(*tip.error), row.expected) << static_cast<int>(row.code);
    StackStatusInput input;
    input.stack = "shop";
    input.decided = StackStatus{StackState::synced, "", ""};
    input.intent = &intent;
    input.current = &current;
    input.tip = &tip;
    input.observed = &observed;
    input.drift = &no_drift;
    const StackStatus told = stack_status_of(input);
    EXPECT_EQ(told, (StackStatus{row.expected, "the remote refuses",
                                 "look at the key; release 7 keeps running"}));
  }
}

TEST(StackStatus, OfASystemdThatDoesNotAnswerIsTold) {
  const Intent intent;
  const Fact<RefTip> tip;
  StackStatusInput input;
  input.stack = "shop";
  input.intent = &intent;
  input.tip = &tip;
  input.unit_problem = "D-Bus does not answer";
  EXPECT_EQ(
      stack_status_of(input),
      (StackStatus{StackState::waiting,
                   "nothing is done until systemd reports the unit's state: D-Bus does not answer",
                   "retried until it does; `systemctl status dbus` may tell more"}));
}

// ---- What is told of containers -------------------------------------------------------------

Container told_container(const char* id, const char* service, ContainerState state) {
  Container container;
  container.id = id;
  container.service = service;
  container.state = state;
  return container;
}

TEST(ServiceChanges, AreThoseOfAContainerSinceItWasSeenLast) {
  const Container one = told_container("1", "web", ContainerState::running);
  const Container two = told_container("2", "web", ContainerState::exited);
  const Container two_runs = told_container("2", "web", ContainerState::running);
  struct Row {
    const char* name;
    std::vector<Container> before;
    std::vector<Container> now;
    std::vector<ServiceChange> expected;
  };
  const std::vector<Row> rows{
      {"replicas that differ, as before", {one, two}, {one, two}, {}},
      {"the first of them is listed last", {one, two}, {two, one}, {}},
      {"the second one starts", {one, two}, {one, two_runs}, {{"web", "running", "none"}}},
      {"another container", {one}, {two}, {{"web", "exited", "none"}}},
      {"one of two has gone", {one, two}, {one}, {}},
      {"the last one has gone", {one}, {}, {{"web", "missing", "none"}}},
      {"the first look", {}, {one}, {{"web", "running", "none"}}},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(service_changes(row.before, row.now), row.expected) << row.name;
  }
}

// ---- Staging --------------------------------------------------------------------------------

void write(const fs::path& path, const std::string& text = "x") {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// "conf/a" for a file or folder, "conf/b -> PATH" for a link; folders that hold something are left
// out.
std::set<std::string> listing(const fs::path& root, const fs::path& live) {
  std::set<std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string path =
        fs::relative(entry.path().parent_path(), root) == "."
            ? entry.path().filename().string()
            : (fs::relative(entry.path().parent_path(), root) / entry.path().filename()).string();
    if (entry.is_symlink()) {
      all.insert(path + " -> " + fs::read_symlink(entry.path()).lexically_relative(live).string());
    } else if (!entry.is_directory() || fs::is_empty(entry.path())) {
      all.insert(path);
    }
  }
  return all;
}

struct StagingCase {
  const char* name;
  std::vector<std::string> live;    // files of the live directory
  std::vector<std::string> staged;  // files of the new commit
  std::set<std::string> tracked;    // files of the live directory's commit
  std::set<std::string> expected;
};

TEST(Staging, LinksWhatGitDoesNotTrack) {
  const std::vector<StagingCase> rows{
      {"nothing untracked", {"a"}, {"a"}, {"a"}, {"a"}},
      {"env file and certificates",
       {"compose.yaml", ".env", "certs/site.pem"},
       {"compose.yaml"},
       {"compose.yaml"},
       {"compose.yaml", ".env -> .env", "certs -> certs"}},
      {"untracked file in a folder of both",
       {"conf/a", "conf/local"},
       {"conf/a"},
       {"conf/a"},
       {"conf/a", "conf/local -> conf/local"}},
      {"tracked file that the new commit lacks",
       {"old", "keep"},
       {"keep"},
       {"old", "keep"},
       {"keep"}},
      {"untracked file beside a tracked one that goes",
       {"conf/old", "conf/local"},
       {"a"},
       {"conf/old"},
       {"a", "conf/local -> conf/local"}},
      {"untracked file where the commit has a folder", {"data"}, {"data/a"}, {}, {"data/a"}},
      {"untracked folder where the commit has a file", {"data/a"}, {"data"}, {}, {"data"}},
      {"untracked file where the commit has one", {".env"}, {".env"}, {}, {".env"}},
      {"the live directory's .git", {".git/config", "a"}, {"a"}, {"a"}, {"a"}},
      {"a .git further down is data",
       {"vendor/.git/config", "vendor/x"},
       {"a"},
       {},
       {"a", "vendor -> vendor"}},
      {"a name that begins like a tracked folder",
       {"conf/a", "conf2/b"},
       {"conf/a"},
       {"conf/a"},
       {"conf/a", "conf2 -> conf2"}},
  };
  for (const StagingCase& row : rows) {
    SCOPED_TRACE(row.name);
    const test::TemporaryFolder folder;
    const fs::path live = folder / "live";
    const fs::path staged = folder / "staged";
    fs::create_directories(live);
    fs::create_directories(staged);
    for (const std::string& file : row.live) write(live / file, "live");
    for (const std::string& file : row.staged) write(staged / file, "staged");
    const Result<void> linked = link_untracked(live, staged, row.tracked);
    ASSERT_TRUE(linked) << linked.error().text();
    EXPECT_EQ(listing(staged, live), row.expected);
  }
}

TEST(Staging, AFolderWhoseFilesAllLeaveIsGone) {
  const test::TemporaryFolder folder;
  const fs::path live = folder / "live";
  const fs::path staged = folder / "staged";
  write(live / "old/site.conf");
  write(live / "mixed/site.conf");
  write(live / "mixed/mine");
  fs::create_directories(live / "uploads");
  fs::create_directories(staged);
  ASSERT_TRUE(link_untracked(live, staged, {"old/site.conf", "mixed/site.conf"}));
  EXPECT_EQ(listing(staged, live),
            (std::set<std::string>{"mixed/mine -> mixed/mine", "uploads -> uploads"}));
}

TEST(Staging, NeverWritesThroughALinkOfTheCommit) {
  const test::TemporaryFolder folder;
  write(folder / "live/data/secret");
  fs::create_directories(folder / "outside");
  fs::create_directories(folder / "staged");
  fs::create_symlink(folder / "outside", folder / "staged/data");
  // The live directory's commit tracks a file below data/, so that the folder is mixed.
  ASSERT_TRUE(link_untracked(folder / "live", folder / "staged", {"data/tracked"}));
  EXPECT_TRUE(fs::is_empty(folder / "outside"));
}

TEST(Staging, FilesByNameAreCopiesAndLeadNowhereElse) {
  const test::TemporaryFolder folder;
  asio::io_context loop;
  Workspace workspace(loop.get_executor(), nullptr, folder.path(), folder / "srv/shop");
  const fs::path staging = workspace.try_lock()->staging();
  const fs::path checkout = workspace.try_lock()->checkout();
  EXPECT_EQ(checkout, staging / fs::path((folder / "srv/shop").string().substr(1)));
  write(checkout / "tracked.env", "tracked");
  fs::create_directories(folder / "outside");
  fs::create_symlink(folder / "outside", checkout / "link");
  fs::create_symlink(folder / "outside/b.env", checkout / "link.env");
  const fs::path beside = (checkout / "../common.env").lexically_normal();
  for (const fs::path& path :
       {beside, checkout / "new/a.env", checkout / "link/a.env", checkout / "link.env",
        checkout / "tracked.env", staging, staging / "../a.env"}) {
    ASSERT_TRUE(put_file(staging, path.lexically_normal(), "A=1\n")) << path;
    ASSERT_TRUE(put_directory(staging, path.lexically_normal())) << path;
  }
  ASSERT_TRUE(put_directory(staging, checkout / "context/api"));
  EXPECT_EQ(*read_file(beside, 100), "A=1\n");
  EXPECT_EQ(*read_file(checkout / "new/a.env", 100), "A=1\n");
  EXPECT_EQ(*read_file(checkout / "tracked.env", 100), "tracked");
  EXPECT_TRUE(fs::is_directory(checkout / "context/api"));
  write(folder / "outside/b.env");
  for (const fs::path& path : {beside, checkout / "link/b.env", staging / "../outside/b.env"}) {
    static_cast<void>(!take_file(staging, path));
  }
  EXPECT_FALSE(fs::exists(beside));
  EXPECT_TRUE(fs::remove(folder / "outside/b.env"));
  EXPECT_TRUE(fs::is_empty(folder / "outside"));
  EXPECT_FALSE(fs::exists(folder / "a.env"));
}

TEST(Staging, AFolderOfUploadsIsNotLinkedEntryByEntry) {
  const test::TemporaryFolder folder;
  write(folder / "live/uploads/.gitkeep");
  for (int number = 0; number <= max_links_of_directory; ++number) {
    write(folder / "live/uploads" / std::to_string(number));
  }
  write(folder / "staged/uploads/.gitkeep");
  ASSERT_TRUE(link_untracked(folder / "live", folder / "staged", {"uploads/.gitkeep"}));
  EXPECT_EQ(listing(folder / "staged", folder / "live").size(),
            static_cast<std::size_t>(max_links_of_directory) + 1);
  EXPECT_TRUE(is_untracked({"uploads/.gitkeep"}, "uploads/7"));
  EXPECT_FALSE(is_untracked({"uploads/.gitkeep"}, "uploads/.gitkeep"));
  EXPECT_FALSE(is_untracked({"uploads/.gitkeep"}, "uploads"));
}

TEST(Staging, ALiveDirectoryThatIsNotThereYetHasNothing) {
  const test::TemporaryFolder folder;
  fs::create_directories(folder / "staged");
  EXPECT_TRUE(link_untracked(folder / "live", folder / "staged", {}));
  EXPECT_TRUE(fs::is_empty(folder / "staged"));
}

TEST(Staging, LinksAndDanglingLinksAreLinked) {
  const test::TemporaryFolder folder;
  fs::create_directories(folder / "live");
  fs::create_directories(folder / "staged");
  fs::create_symlink("/nowhere", folder / "live/dangling");
  fs::create_symlink("dangling", folder / "live/second");
  ASSERT_TRUE(link_untracked(folder / "live", folder / "staged", {}));
  EXPECT_EQ(listing(folder / "staged", folder / "live"),
            (std::set<std::string>{"dangling -> dangling", "second -> second"}));
}

// ---- The state directory ----------------------------------------------------------------------

TEST(StateDirectory, IsNotToBeSeen) {
  struct Row {
    const char* path;
    bool expected;
  };
  for (const Row& row :
       {Row{"/var/lib/trimtab", true}, Row{"/var/lib/trimtab/shop/inputs", true},
        Row{"/var/lib", true}, Row{"/var", true}, Row{"/", false}, Row{"/var/lib/trimtab2", false},
        Row{"/var/lib/docker", false}, Row{"/srv/shop", false}}) {
    EXPECT_EQ(shows_state(row.path, "/var/lib/trimtab"), row.expected) << row.path;
  }
}

TEST(StateDirectory, LinksOfTheCommitAndOfTheHostAreFollowed) {
  const test::TemporaryFolder folder;
  const fs::path live = folder / "srv/shop";
  asio::io_context loop;
  Workspace workspace(loop.get_executor(), nullptr, folder / "state", live);
  const fs::path checkout = workspace.try_lock()->checkout();
  const fs::path state = folder / "state";
  write(live / "mine", "not tracked");
  write(checkout / "conf/site.conf");
  fs::create_symlink("../../state", checkout / "up");
  fs::create_symlink(state, checkout / "conf/absolute");
  fs::create_symlink("loop", checkout / "loop");
  fs::create_symlink(live / "mine", checkout / "mine");  // by staging
  fs::create_symlink(state, folder / "srv/hosts-own");
  struct Row {
    fs::path source;
    fs::path expected;
  };
  for (const Row& row : {Row{live, live}, Row{live / "conf/site.conf", live / "conf/site.conf"},
                         Row{live / "mine", live / "mine"}, Row{live / "up/shop", state / "shop"},
                         Row{live / "conf/absolute", state}, Row{live / "conf/../up", state},
                         Row{folder / "srv/hosts-own/shop", state / "shop"}, Row{"/etc", "/etc"}}) {
    EXPECT_EQ(real_source(row.source, live, checkout), row.expected) << row.source;
  }
  EXPECT_EQ(real_source(live / "loop", live, checkout), live / "loop");
}

TEST(StateDirectory, AllThatContainersSeeOfTheHost) {
  const auto model = parse_json(R"({
      "services": {
        "a": {"volumes": [{"type": "bind", "source": "/srv/a", "target": "/a"}, "/srv/b:/b:ro",
                          {"type": "volume", "source": "data", "target": "/d"}],
              "secrets": [{"source": "pw"}]}},
      "secrets": {"pw": {"file": "/srv/pw"}, "unused": {"file": "/srv/u"}},
      "volumes": {"data": {"driver_opts": {"type": "none", "o": "bind", "device": "/srv/d"}},
                  "remote": {"driver_opts": {"device": ":/export"}}}})");
  ASSERT_TRUE(model);
  EXPECT_EQ(host_paths(*model),
            (std::map<std::string, std::string>{{"/srv/a", "service a mounts"},
                                                {"/srv/b", "service a mounts"},
                                                {"/srv/d", "the volume data is"},
                                                {"/srv/pw", "service a mounts"}}));
}

// ---- Inputs ---------------------------------------------------------------------------------

TEST(Inputs, AFileThatMustNotBeReadIsNotOneThatIsMissing) {
  EXPECT_EQ(input_hash(Error{Errc::untrusted, "a link", {}}), refused_input);
  EXPECT_EQ(input_hash(Error{Errc::not_found, "", {}}), absent_input);
  EXPECT_EQ(input_hash(Error{Errc::invalid, "a folder", {}}), absent_input);
  EXPECT_EQ(input_hash(std::string("A=1")).size(), 64U);
}

TEST(Inputs, EachThatWasReadCountsAndNoOther) {
  const test::TemporaryFolder folder;
  StackSettings settings;
  settings.directory = folder.path();
  write(folder / ".env", "A=1");
  ReleaseRecord release;
  release.commit = "c1";
  release.inputs = {{".env", input_hash(read_input(folder.path(), ".env"))},
                    {"mail.env", absent_input}};
  release.images["api"] = ImagePin{"acme/api:latest", "acme/api@sha256:1", false};
  release.images["db"] = ImagePin{"postgres:16", "postgres@sha256:2", false};
  release.images["own"] = ImagePin{"own:latest", "sha256:3", true};
  release.watched = {"api", "own"};
  Inputs evaluated = inputs_of(settings, release);
  EXPECT_EQ(evaluated.digests,
            (std::map<std::string, std::string>{{"acme/api:latest", "sha256:1"}}));
  evaluated.digests["acme/worker:2"] = missing_image;
  Facts facts;
  InputHashes hashes;
  const auto is_as_it_was = [&](const std::string& commit = "c1") {
    const Inputs present = present_inputs(settings, commit, facts, evaluated, hashes);
    return inputs_key(present) == inputs_key(evaluated);
  };
  // What was not asked since the start is as it was, and a registry that fails says nothing.
  EXPECT_TRUE(is_as_it_was());
  facts.digests["acme/worker:2"].fail(Error{Errc::not_found, "not there", {}});
  facts.digests["postgres:16"].succeed("sha256:9");
  write(folder / "other.env", "A=1");
  EXPECT_TRUE(is_as_it_was());
  EXPECT_FALSE(is_as_it_was("c2"));
  const auto paths = input_paths(folder.path(), evaluated);
  const std::string stamp = stamp_of_files(paths);
  EXPECT_EQ(stamp, stamp_of_files(paths));
  write(folder / "mail.env", "");
  EXPECT_FALSE(is_as_it_was());
  EXPECT_NE(stamp, stamp_of_files(paths));
  fs::remove(folder / "mail.env");
  EXPECT_TRUE(is_as_it_was());
  write(folder / ".env", "A=2");
  EXPECT_FALSE(is_as_it_was());
  write(folder / ".env", "A=1");
  facts.digests["acme/worker:2"].succeed("sha256:4");
  EXPECT_FALSE(is_as_it_was());
  facts.digests.clear();
  facts.digests["acme/api:latest"].succeed("sha256:5");
  EXPECT_FALSE(is_as_it_was());
}

// Whoever writes twice within one step of the file system's clock leaves the stamp of the first.
TEST(InputHashes, AFileIsReadAgainUntilItsStampTellsWhatIsInIt) {
  struct Row {
    const char* stamp;
    milliseconds at;
    bool is_read;
  };
  InputHashes hashes;
  const SteadyClock::time_point start{};
  for (const Row& row : std::vector<Row>{{"1", milliseconds(0), true},
                                         {"1", milliseconds(1), true},
                                         {"1", milliseconds(1999), true},
                                         {"1", milliseconds(2000), true},
                                         {"1", milliseconds(2001), false},
                                         {"1", milliseconds(90'000), false},
                                         {"2", milliseconds(90'001), true},
                                         {"2", milliseconds(91'000), true},
                                         {"1", milliseconds(92'500), true},
                                         {"1", milliseconds(94'500), true},
                                         {"1", milliseconds(94'501), false}}) {
    const std::string* const known = hashes.find(".env", row.stamp);
    EXPECT_EQ(known == nullptr, row.is_read) << row.stamp << " at " << row.at.count();
    if (known == nullptr) {
      hashes.note(".env", row.stamp, "hash", start + row.at);
    } else {
      EXPECT_EQ(*known, "hash");
    }
  }
  EXPECT_EQ(hashes.find("mail.env", "1"), nullptr);
}

TEST(InputHashes, AreThoseOfWhatIsThere) {
  const test::TemporaryFolder folder;
  InputHashes hashes;
  SteadyClock::time_point now{};
  const auto hash = [&] {
    return hashes.hash_of(folder.path(), ".env", now += milliseconds(1500));
  };
  EXPECT_EQ(hash(), absent_input);
  EXPECT_EQ(hash(), absent_input);
  for (const char* content : {"A=1", "A=2", "A=33"}) {
    write(folder / ".env", content);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(hash(), input_hash(std::string(content))) << content;
  }
  const std::string stamp = stamp_of_file(folder / ".env");
  const std::string* const known = hashes.find(".env", stamp);
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(*known, hash());
  fs::remove(folder / ".env");
  EXPECT_EQ(hash(), absent_input);
  fs::create_directory(folder / ".env");
  EXPECT_EQ(hash(), absent_input);
}

// ---- What compose files read ------------------------------------------------------------------

TEST(ComposeInputs, PathsAsComposeUnderstandsThem) {
  const Variables variables{{"WHERE", "prod"}, {"UP", "../x"}};
  struct Row {
    const char* base;
    const char* path;
    std::optional<std::string> expected;
  };
  for (const Row& row : std::vector<Row>{{"", "./a.env", "a.env"},
                                         {"apps/api", "a.env", "apps/api/a.env"},
                                         {"apps/api", "../b/./a.env", "apps/b/a.env"},
                                         {"apps", "..", ""},
                                         {"", "folder/", "folder"},
                                         {"apps", "../../a.env", "../a.env"},
                                         {"../other", "a.env", "../other/a.env"},
                                         {"apps", "/etc/shop.env", "/etc/shop.env"},
                                         {"", "${WHERE}.env", "prod.env"},
                                         {"", "${NONE:-prod}.env", "prod.env"},
                                         {"apps", "$UP/a.env", "x/a.env"},
                                         {"", "${NONE:?needed}.env", std::nullopt},
                                         {"", "", std::nullopt}}) {
    EXPECT_EQ(path_from(row.base, row.path, variables), row.expected)
        << row.base << " + " << row.path;
  }
}

TEST(ComposeInputs, TakesTheFilesThatComposeTakes) {
  using Paths = std::vector<std::string>;
  EXPECT_EQ(files_named_by({}), Paths{});
  EXPECT_EQ(files_named_by({{"COMPOSE_FILE", ""}}), Paths{});
  EXPECT_EQ(files_named_by({{"COMPOSE_FILE", "a.yaml:b/c.yaml"}}), (Paths{"a.yaml", "b/c.yaml"}));
  EXPECT_EQ(files_named_by({{"COMPOSE_FILE", "a.yaml,b.yaml"}, {"COMPOSE_PATH_SEPARATOR", ","}}),
            (Paths{"a.yaml", "b.yaml"}));
  struct Row {
    std::set<std::string> present;
    Paths taken;
  };
  for (const Row& row : {
           Row{{}, {}},
           Row{{"compose.override.yaml"}, {}},
           Row{{"docker-compose.yml"}, {"docker-compose.yml"}},
           Row{{"docker-compose.yaml", "docker-compose.yml"}, {"docker-compose.yml"}},
           Row{{"compose.yml", "docker-compose.override.yaml"},
               {"compose.yml", "docker-compose.override.yaml"}},
           Row{{"compose.yaml", "compose.override.yaml", "docker-compose.override.yml"},
               {"compose.yaml", "compose.override.yaml"}},
       }) {
    EXPECT_EQ(default_files([&](const std::string& name) { return row.present.contains(name); }),
              row.taken);
  }
}

TEST(ComposeInputs, TheFirstFileSaysWhatPathsAreRelativeTo) {
  using Paths = std::vector<std::string>;
  EXPECT_EQ(project_directory({"compose.yaml", "apps/prod.yaml"}), "");
  EXPECT_EQ(project_directory({"apps/blog/compose.yaml", "prod.yaml"}), "apps/blog");
  EXPECT_EQ(project_directory({"./apps/compose.yaml"}), "apps");
  EXPECT_EQ(possible_env_files(std::nullopt, {"compose.yaml"}), Paths{".env"});
  EXPECT_EQ(possible_env_files(std::nullopt, {"apps/compose.yaml"}), (Paths{"apps/.env", ".env"}));
  EXPECT_EQ(possible_env_files("prod.env", {"apps/compose.yaml"}), Paths{"prod.env"});
}

TEST(ComposeInputs, EnvFilesInEveryForm) {
  const Json raw = *parse_json(R"({"services": {
      "a": {"env_file": "a.env"},
      "b": {"env_file": ["b.env", {"path": "c.env", "required": false}]},
      "c": {"image": "x", "label_file": ["labels"], "build": {"context": "../c"}},
      "d": null,
      "e": {"build": "./e", "label_file": "more"},
      "f": {"build": {"dockerfile_inline": "FROM x"}}}})");
  EXPECT_EQ(env_files_of(raw),
            (std::vector<std::string>{"a.env", "b.env", "c.env", "labels", "more"}));
  EXPECT_EQ(build_contexts_of(raw), (std::vector<std::string>{"../c", "./e", ""}));
}

TEST(ComposeInputs, IncludedAndExtendedFiles) {
  const Json raw = *parse_json(R"({
      "include": [
        "db/compose.yaml",
        {"path": ["api/a.yaml", "api/b.yaml"], "env_file": ["x.env", "y.env"]},
        {"path": "web/compose.yaml", "project_directory": "."},
        "../../opt/compose.yaml",
        "/etc/compose.yaml"],
      "services": {
        "a": {"extends": {"file": "base/services.yaml", "service": "a"}},
        "b": {"extends": {"service": "a"}}}})");
  const std::vector<FurtherFile> expected{{"x/db/compose.yaml", "x/db", {"x/db/.env"}},
                                          {"x/api/a.yaml", "x/api", {"x/x.env", "x/y.env"}},
                                          {"x/api/b.yaml", "x/api", {"x/x.env", "x/y.env"}},
                                          {"x/web/compose.yaml", "x", {"x/.env"}},
                                          {"../opt/compose.yaml", "../opt", {"../opt/.env"}},
                                          {"/etc/compose.yaml", "/etc", {"/etc/.env"}},
                                          {"x/base/services.yaml", "x/base", {}}};
  EXPECT_EQ(further_files(raw, "x", {}), expected);
}

// ---- Events ---------------------------------------------------------------------------------

Json data_of(const AgentEvent& event) {
  const Result<Json> data = parse_json(event.data);
  return data ? *data : Json();
}

TEST(Events, HaveTimeStackAndTypeAndEveryMemberThatClientsRead) {
  EventBus bus;
  Json data;
  data["message"] = "release 3 is deployed";
  data["release"] = 3;
  bus.publish("release", "shop", data);
  const std::vector<AgentEvent> recent = bus.recent(10, "");
  ASSERT_EQ(recent.size(), 1U);
  const Json event = data_of(recent[0]);
  EXPECT_EQ(event["stack"], "shop");
  EXPECT_EQ(event["type"], "release");
  EXPECT_TRUE(parse_time(json_string(event, "at")));
  EXPECT_EQ(event["release"], 3);
  EXPECT_TRUE(event["phase"].is_null());
  EXPECT_EQ(event["message"], "release 3 is deployed");
}

TEST(Events, OnlyTheNewestAreKeptAndNoProgressOfPulls) {
  EventBus bus;
  for (int number = 0; number < 300; ++number) {
    Json data;
    data["release"] = number;
    bus.publish("release", "shop", data);
    bus.publish("pull", "shop", Json::object());
  }
  const std::vector<AgentEvent> all = bus.recent(1000, "");
  EXPECT_EQ(all.size(), 200U);
  EXPECT_EQ(data_of(all.back())["release"], 299);
  const std::vector<AgentEvent> two = bus.recent(2, "");
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(data_of(two.front())["release"], 298);
  EXPECT_TRUE(bus.recent(0, "").empty());
}

TEST(Events, OfOneStackAreNotCountedWithThoseOfOthers) {
  EventBus bus;
  for (const char* stack : {"shop", "shop", "blog", "blog", "blog"}) {
    bus.publish("release", stack, Json::object());
  }
  const std::vector<AgentEvent> two = bus.recent(2, "shop");
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two.front().stack, "shop");
  EXPECT_EQ(two.back().stack, "shop");
}

Task<std::vector<int>> follow(EventBus::Follower* follower, int count) {
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i) {
    const auto event = co_await follower->next(SteadyClock::now() + std::chrono::seconds(10));
    if (!event) break;
    numbers.push_back(static_cast<int>(json_int(data_of(*event), "release")));
  }
  co_return numbers;
}

void publish(EventBus& bus, int number) {
  Json data;
  data["release"] = number;
  bus.publish("release", "shop", data);
}

TEST(Events, AFollowerGetsThemInOrderWhetherTheyCameBeforeOrAfter) {
  asio::io_context loop;
  EventBus bus;
  publish(bus, 0);
  EventBus::Follower follower(loop.get_executor(), bus);
  publish(bus, 1);
  publish(bus, 2);
  asio::post(loop, [&] { asio::post(loop, [&] { publish(bus, 3); }); });
  EXPECT_EQ(test::await(loop, follow(&follower, 3)), (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(follower.lost());
}

Task<bool> nothing_comes(EventBus::Follower* follower) {
  const auto event = co_await follower->next(SteadyClock::now() + milliseconds(20));
  co_return !event.has_value();
}

TEST(Events, AFollowerComesBackAtItsDeadline) {
  asio::io_context loop;
  EventBus bus;
  EventBus::Follower follower(loop.get_executor(), bus);
  EXPECT_TRUE(test::await(loop, nothing_comes(&follower)));
}

TEST(Events, AFollowerThatDoesNotKeepUpIsToldSo) {
  asio::io_context loop;
  EventBus bus;
  EventBus::Follower follower(loop.get_executor(), bus);
  for (int number = 0; number < 600; ++number) publish(bus, number);
  EXPECT_TRUE(follower.lost());
  const std::vector<int> first = test::await(loop, follow(&follower, 500));
  ASSERT_EQ(first.size(), 500U);
  EXPECT_EQ(first.back(), 499);
}

TEST(Events, AFollowerMayLeave) {
  asio::io_context loop;
  EventBus bus;
  { EventBus::Follower follower(loop.get_executor(), bus); }
  publish(bus, 1);
  EXPECT_EQ(bus.recent(1, "").size(), 1U);
}

// ---- Turns ----------------------------------------------------------------------------------

struct Line {
  asio::io_context loop;
  AsyncMutex turn{loop.get_executor()};
  std::vector<std::string> log;
};

Task<void> work(Line* line, std::string name, WakeEvent* until) {
  const AsyncMutex::Guard held = co_await line->turn.lock();
  line->log.push_back(name + " begins");
  if (until != nullptr) co_await until->wait();
  line->log.push_back(name + " ends");
}

// Takes the turn twice without anything in between at which others could run.
Task<void> work_twice(Line* line, std::string name, WakeEvent* until) {
  co_await work(line, name, until);
  co_await work(line, name, nullptr);
}

void start(Line& line, Task<void> task) {
  asio::co_spawn(line.loop, std::move(task), asio::detached);
  line.loop.poll();
  line.loop.restart();
}

TEST(AsyncMutex, FirstComeFirstServed) {
  Line line;
  WakeEvent go(line.loop.get_executor());
  start(line, work(&line, "a", &go));
  start(line, work(&line, "b", nullptr));
  start(line, work(&line, "c", nullptr));
  EXPECT_TRUE(line.turn.taken());
  EXPECT_EQ(line.log, std::vector<std::string>{"a begins"});
  go.notify();
  test::run_loop(line.loop);
  EXPECT_EQ(line.log, (std::vector<std::string>{"a begins", "a ends", "b begins", "b ends",
                                                "c begins", "c ends"}));
  EXPECT_FALSE(line.turn.taken());
}

TEST(AsyncMutex, WhoJustHadItDoesNotGetItBeforeThoseWhoWait) {
  Line line;
  WakeEvent go(line.loop.get_executor());
  start(line, work_twice(&line, "a", &go));
  start(line, work(&line, "b", nullptr));
  go.notify();
  test::run_loop(line.loop);
  EXPECT_EQ(line.log, (std::vector<std::string>{"a begins", "a ends", "b begins", "b ends",
                                                "a begins", "a ends"}));
}

TEST(AsyncMutex, IsHadAtOnceOnlyWhereNobodyHasItOrWaitsForIt) {
  Line line;
  WakeEvent go(line.loop.get_executor());
  {
    const std::optional<AsyncMutex::Guard> held = line.turn.try_lock();
    EXPECT_TRUE(held);
    EXPECT_FALSE(line.turn.try_lock());
    start(line, work(&line, "a", &go));
    EXPECT_TRUE(line.log.empty());
  }
  // It is given back, and on its way to the one who waits.
  EXPECT_FALSE(line.turn.try_lock());
  go.notify();
  test::run_loop(line.loop);
  EXPECT_EQ(line.log.back(), "a ends");
  EXPECT_TRUE(line.turn.try_lock());
  EXPECT_FALSE(line.turn.taken());
}

TEST(AsyncMutex, OneWhoIsCancelledLosesOnlyItsOwnPlace) {
  // Cancelled while it waits, and cancelled just when the turn has become its own.
  for (const bool at_its_turn : {false, true}) {
    Line line;
    WakeEvent go(line.loop.get_executor());
    asio::cancellation_signal stop;
    start(line, work(&line, "a", &go));
    asio::co_spawn(line.loop, work(&line, "b", nullptr),
                   asio::bind_cancellation_slot(stop.slot(), asio::detached));
    line.loop.poll();
    line.loop.restart();
    start(line, work(&line, "c", nullptr));
    if (!at_its_turn) stop.emit(asio::cancellation_type::terminal);
    go.notify();
    if (at_its_turn) {
      // One step at a time, until "a" has given its turn away.
      while (line.log.back() != "a ends") line.loop.run_one();
      stop.emit(asio::cancellation_type::terminal);
    }
    test::run_loop(line.loop);
    EXPECT_EQ(line.log.back(), "c ends") << at_its_turn;
    EXPECT_FALSE(line.turn.taken()) << at_its_turn;
  }
}

// ---- When to ask again ----------------------------------------------------------------------

TEST(Backoff, AnErrorNeverPollsHarder) {
  struct Row {
    milliseconds interval;
    int failures;
    milliseconds expected;  // in the middle of the spread
  };
  using std::chrono::minutes;
  using std::chrono::seconds;
  for (const Row& row : {
           Row{seconds(30), 0, seconds(30)},
           Row{seconds(30), 1, seconds(60)},
           Row{seconds(30), 2, seconds(120)},
           Row{seconds(30), 5, seconds(960)},
           Row{seconds(30), 6, minutes(30)},
           Row{seconds(30), 1'000'000'000, minutes(30)},
           Row{minutes(45), 0, minutes(45)},
           Row{minutes(45), 3, minutes(45)},
           Row{seconds(0), 5, seconds(0)},
       }) {
    const double wanted = static_cast<double>(row.expected.count());
    for (const double jitter : {0.0, 0.25, 0.5, 0.999}) {
      const auto wait = next_interval(row.interval, row.failures, jitter);
      EXPECT_NEAR(static_cast<double>(wait.count()), wanted * (0.9 + 0.2 * jitter), 1.0)
          << row.interval.count() << " " << row.failures;
    }
  }
}

TEST(Backoff, JitterSpreads) {
  std::set<double> seen;
  for (int i = 0; i < 100; ++i) {
    const double jitter = random_jitter();
    EXPECT_GE(jitter, 0.0);
    EXPECT_LT(jitter, 1.0);
    seen.insert(jitter);
  }
  EXPECT_GT(seen.size(), 90U);
}

// ---- Renewed files --------------------------------------------------------------------------

TEST(RenewedFiles, CertificatesOfWhatCanBeReloadedAreNoticed) {
  const test::TemporaryFolder folder;
  const fs::path live = folder.path();
  for (const char* path : {"certs/archive/1.pem", "certs/readme.txt", "nginx.conf", "dh.param"}) {
    write(live / path);
  }
  fs::create_directories(live / "certs/live");
  fs::create_symlink("../archive/1.pem", live / "certs/live/fullchain.pem");
  const auto model = parse_json(R"({"services": {
      "proxy": {"image": "nginx", "volumes": [
        {"type": "bind", "source": ")" +
                                (live / "certs").string() + R"(", "target": "/certs"},
        {"type": "bind", "source": ")" +
                                (live / "dh.param").string() +
                                R"(", "target": "/dh", "read_only": true},
        {"type": "bind", "source": ")" +
                                (live / "nginx.conf").string() +
                                R"(", "target": "/etc/nginx/nginx.conf", "read_only": true}]},
      "api": {"image": "acme/api", "volumes": [
        {"type": "bind", "source": ")" +
                                (live / "certs").string() + R"(", "target": "/certs"}]}}})");
  ASSERT_TRUE(model);
  const Rendering rendering{*model};
  ReleaseRecord release;
  release.mounted_files = {{"proxy", {{"nginx.conf", "blob"}}}};
  RenewedFiles files;
  const std::set<std::string> none;
  const std::set<std::string> proxy{"proxy"};
  EXPECT_EQ(files.find_renewed(release, rendering, live), none);
  EXPECT_EQ(files.find_renewed(release, rendering, live), none);
  write(live / "certs/readme.txt", "other");
  write(live / "nginx.conf", "what Git tracks comes with a release");
  EXPECT_EQ(files.find_renewed(release, rendering, live), none);
  write(live / "certs/archive/1.pem", "renewed in place");
  EXPECT_EQ(files.find_renewed(release, rendering, live), proxy);
  EXPECT_EQ(files.find_renewed(release, rendering, live), none);
  write(live / "dh.param", "another one");
  EXPECT_EQ(files.find_renewed(release, rendering, live), proxy);
  write(live / "certs/archive/2.pem", "renewed behind the link");
  EXPECT_EQ(files.find_renewed(release, rendering, live), proxy);
  fs::remove(live / "certs/live/fullchain.pem");
  fs::create_symlink("../archive/2.pem", live / "certs/live/fullchain.pem");
  EXPECT_EQ(files.find_renewed(release, rendering, live), proxy);
  EXPECT_EQ(files.find_renewed(release, rendering, live), none);
}

TEST(HostMemory, IsKnown) {
  const auto bytes = available_memory();
  ASSERT_TRUE(bytes);
  EXPECT_GT(*bytes, 1024U * 1024U);
}

// ---- When to look again ---------------------------------------------------------------------

TEST(NextWake, IsTheNextThingThatIsDueAndNeverNow) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const auto now = SteadyClock::time_point(std::chrono::hours(1));
  using At = std::optional<SteadyClock::time_point>;
  struct Row {
    const char* name;
    bool is_suspended;
    At retry;
    At look;
    At end;
    milliseconds after;
    At names = {};
    At poll = {};
    bool goes_back_later = false;
  };
  for (const Row& row :
       {Row{"nothing is due", false, {}, {}, {}, seconds(30)},
        Row{"a retry", false, now + seconds(7), {}, {}, seconds(7)},
        Row{"a late retry", false, now + seconds(60), {}, {}, seconds(30)},
        Row{"a look on probation", false, now + seconds(7), now + seconds(2), {}, seconds(2)},
        Row{"the end of the probation", false, {}, {}, now + seconds(9), seconds(9)},
        Row{"what is due already", false, now - seconds(5), {}, {}, milliseconds(100)},
        Row{"a retry that is due while it is stopped", true, now - seconds(5), {}, {}, seconds(30)},
        Row{"a look while it is paused", true, {}, now - seconds(5), {}, seconds(30)},
        Row{"an end while Docker is away", true, {}, {}, now - seconds(5), seconds(30)},
        Row{"names of images", false, {}, {}, {}, seconds(3), now + seconds(3)},
        Row{"those of a stack that is stopped", true, {}, {}, {}, seconds(30), now + seconds(3)},
        Row{"what tells nobody that it is over",
            true,
            now - seconds(5),
            {},
            {},
            seconds(2),
            {},
            now + seconds(2)},
        Row{"an end while going back waits",
            false,
            now + seconds(9),
            now - seconds(2),
            now - seconds(5),
            seconds(9),
            {},
            {},
            true}}) {
    WakeInput input;
    input.now = now;
    input.is_suspended = row.is_suspended;
    input.goes_back_later = row.goes_back_later;
    input.retry_at = row.retry;
    input.probation_look = row.look;
    input.probation_end = row.end;
    input.names_at = row.names;
    input.poll_at = row.poll;
    EXPECT_EQ(trimtab::next_wake(input) - now, row.after) << row.name;
  }
}

}  // namespace
}  // namespace trimtab
