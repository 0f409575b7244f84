// What is kept of a stack comes back after a restart, whatever happened to the files.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/reconcile/renderings.hpp"
#include "agent/record/release_json.hpp"
#include "agent/record/rendering.hpp"
#include "agent/record/schema_1.hpp"
#include "agent/record/store.hpp"
#include "agent/resolve/keys.hpp"
#include "common/files.hpp"
#include "tests/lib/records.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using test::await;
using test::put;

Store open(const fs::path& folder) {
  Result<Store> store = test::open_store(folder);
  if (!store) throw std::runtime_error(store.error().text());
  return std::move(*store);
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

Task<Result<void>> set_intent(Store& store, Intent intent) {
  const std::function<void(Intent&)> change = [&intent](Intent& known) { known = intent; };
  co_return co_await store.change_intent(change);
}

std::string read(const fs::path& path) {
  return read_file(path).value();
}

ReleaseRecord release(int number, const std::string& content = {},
                      Outcome outcome = Outcome::good) {
  ReleaseRecord result;
  result.number = number;
  result.commit = "c" + std::to_string(number);
  result.content_key = content.empty() ? "k" + std::to_string(number) : content;
  result.outcome = outcome;
  return result;
}

// Newer than any other.
Deployment deployment(int of, Phase phase, int phase_attempts = 1) {
  Deployment result;
  result.id = 100;
  result.release = of;
  result.phase = phase;
  result.phase_attempts = phase_attempts;
  return result;
}

Result<void> save_in(const fs::path& folder, const ReleaseRecord& release) {
  Store store = open(folder);
  return put(store, release);
}

std::vector<int> numbers(const Store& store) {
  std::vector<int> all;
  for (const auto& [number, known] : store.releases()) all.push_back(number);
  return all;
}

WallTime moment(const char* text) {
  return parse_time(text).value();
}

Failure whole_failure() {
  return {FailureCause::host,
          "gating",
          "backend exited with 1",
          "look there",
          {{"backend", "exited with 1", {"SECRET_KEY: field required", "bye"}}}};
}

ReleaseRecord whole_release() {
  ReleaseRecord all = release(42, "content", Outcome::rolled_back);
  all.ref = "refs/heads/production";
  all.subject = "Fix \"totals\" für alle 😀";
  all.author = "Ana";
  all.created_at = moment("2026-11-23T00:07:23.123Z");
  all.cause = "push c42";
  all.project = "shop";
  all.compose = "docker compose 2.26.1";
  all.inputs_key = "inputs";
  all.images["web"] = {"acme/web:latest", "acme/web@sha256:1", false};
  all.images["job"] = {"shop-job", "sha256:2", true};
  all.mounted_files["web"]["nginx.conf"] = "blob";
  all.inputs[".env"] = "hash";
  all.watched = {"web"};
  all.plan.steps = {{"web", Action::recreate, Risk::data, {"image 1… → 2…", "command changed"}},
                    {"job", Action::none, Risk::none, {}}};
  all.findings = {{"volume-dropped", PreflightFinding::Severity::warning, FailureCause::release, "",
                   "gone", "look"},
                  {"host-port-taken", PreflightFinding::Severity::error, FailureCause::host, "",
                   "taken", "free it"}};
  all.notices = {"edits were saved"};
  all.timeline = {{"pulling", moment("2026-11-23T00:07:24.000Z"), 6.25},
                  {"gating", moment("2026-11-23T00:07:30.000Z"), std::nullopt}};
  all.failure = whole_failure();
  all.seen = {{"web", {"id1", "id2"}}, {"job", {"id3"}}};
  all.jobs = {"job"};
  all.previous = 40;
  return all;
}

// ---- Round trips ----------------------------------------------------------------------------

TEST(Record, AReleaseComesBackWhole) {
  const test::TemporaryFolder folder;
  const ReleaseRecord saved = whole_release();
  {
    Store store = open(folder / "shop");
    ASSERT_TRUE(put(store, saved));
    ASSERT_TRUE(await(store.save_rendering(42, "services: {}\n")));
    ASSERT_TRUE(await(store.save_inputs(42, {{"conf/web.env", "A=1\n"}})));
    ASSERT_TRUE(await(store.set_current(42)));
  }
  const Store store = open(folder / "shop");
  EXPECT_TRUE(store.problems().empty());
  ASSERT_NE(store.current(), nullptr);
  // The JSON has every member, so that comparing it compares them all.
  EXPECT_EQ(to_json(*store.current()), to_json(saved));
  EXPECT_EQ(to_json(store.deployments().at(1)), to_json(test::deployment_of(saved, 1)));
  EXPECT_EQ(store.next_deployment(), 2);
  EXPECT_EQ(store.current()->outcome, Outcome::rolled_back);
  EXPECT_EQ(store.current()->images.at("job"), saved.images.at("job"));
  EXPECT_EQ(store.current()->plan, saved.plan);
  EXPECT_EQ(store.current()->findings, saved.findings);
  EXPECT_EQ(store.current()->seen, saved.seen);
  EXPECT_EQ(store.current()->previous, 40);
  EXPECT_EQ(store.current()->timeline.at(0).seconds, 6.25);
  EXPECT_EQ(store.current()->timeline.at(1).seconds, std::nullopt);
  EXPECT_EQ(store.current()->failure->services.at(0).log, saved.failure->services.at(0).log);
  EXPECT_EQ(store.rendering(42).value(), "services: {}\n");
  EXPECT_EQ(store.next_number(), 43);
  EXPECT_EQ(fs::read_symlink(folder / "shop/current"), "releases/42");
}

TEST(Record, AnAttemptComesBackWhole) {
  Deployment saved = deployment(7, Phase::rolling_back, 2);
  saved.fallback = 6;
  saved.checkout = 5;
  saved.kind = DeploymentKind::operator_rollback;
  saved.from.release = 6;
  saved.from.services = {{"web", {6, {"a", "b"}, false, true}}, {"job", {5, {}, true, false}}};
  saved.return_plan.steps = {{"web", Action::recreate, Risk::restart, {"put back"}}};
  saved.plan.steps = {{"web", Action::restart, Risk::restart, {"mounted file changed: a"}}};
  saved.already_failing = {"db"};
  saved.hook_mark = "TRIMTAB_HOOK_OF=/state/shop:1";
  saved.outgoing = SeenContainers{{"web", {"a", "b"}}, {"api", {}}};
  saved.request = "abcd";
  saved.started_at = moment("2026-11-23T00:07:23.123Z");
  saved.failure = whole_failure();
  saved.previous = 4;
  saved.cause = "push c7";
  saved.notices = {"edits were saved"};
  saved.timeline = {{"pulling", moment("2026-11-23T00:07:24.000Z"), 6.25}};
  saved.ran = saved.from;
  saved.ended_at = moment("2026-11-23T00:09:23.123Z");
  saved.outcome = Outcome::failed;
  const Result<Deployment> back = deployment_from_json(to_json(saved));
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), to_json(saved));
  EXPECT_EQ(back->phase, Phase::rolling_back);
  EXPECT_EQ(back->plan, saved.plan);
  EXPECT_EQ(back->already_failing, saved.already_failing);
  EXPECT_EQ(back->hook_mark, saved.hook_mark);
  EXPECT_EQ(back->outgoing, saved.outgoing);
  EXPECT_EQ(back->kind, saved.kind);
  EXPECT_EQ(back->checkout, 5);
  EXPECT_EQ(back->from, saved.from);
  EXPECT_EQ(back->return_plan, saved.return_plan);
  EXPECT_EQ(back->failure->cause, FailureCause::host);
  EXPECT_EQ(back->ran, saved.ran);
  EXPECT_EQ(back->ended_at, saved.ended_at);
  EXPECT_EQ(back->outcome, Outcome::failed);
}

TEST(Record, ReadsTheCauseOfAFailureAsEarlierVersionsWroteIt) {
  Deployment saved = deployment(1, Phase::gating);
  saved.failure = Failure{FailureCause::host, "gating", "no memory", "", {}};
  for (const auto& [written, cause] :
       {std::pair("world", FailureCause::host), {"content", FailureCause::release}}) {
    Json json = to_json(saved);
    json["failure"].erase("cause");
    json["failure"]["class"] = written;
    const Result<Deployment> back = deployment_from_json(json);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->failure->cause, cause) << written;
  }
}

TEST(Record, IntentAndRejectedContentSurviveARestart) {
  const test::TemporaryFolder folder;
  {
    Store store = open(folder / "shop");
    ASSERT_TRUE(await(store.reject("k1")));
    ASSERT_TRUE(await(store.reject("k2")));
    ASSERT_TRUE(await(store.reject("")));
    ASSERT_TRUE(await(store.clear_rejection("k1")));
    ASSERT_TRUE(await(store.clear_rejection("never seen")));
    ASSERT_TRUE(await(set_intent(
        store, {true, "moving house", moment("2026-11-23T00:07:23.000Z"), "c9", "shop.service"})));
  }
  const Store store = open(folder / "shop");
  EXPECT_TRUE(store.problems().empty());
  EXPECT_EQ(store.rejected(), std::set<std::string>{"k2"});
  EXPECT_TRUE(store.intent().paused);
  EXPECT_EQ(store.intent().paused_why, "moving house");
  EXPECT_EQ(store.intent().held_commit, "c9");
  EXPECT_EQ(store.intent().unit, "shop.service");
}

TEST(Record, OnlyItsOwnerCanReadWhatIsKept) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  ASSERT_TRUE(put(store, release(1)));
  ASSERT_TRUE(await(store.save_rendering(1, "services: {web: {environment: {PASSWORD: x}}}\n")));
  ASSERT_TRUE(await(store.save_inputs(1, {{".env", "PASSWORD=x\n"}})));
  ASSERT_TRUE(await(store.save(deployment(1, Phase::pulling))));
  for (const auto& entry : fs::recursive_directory_iterator(folder / "shop")) {
    struct stat info {};
    ASSERT_EQ(::lstat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 077U, 0U) << entry.path();
  }
}

// ---- The deployment in flight ---------------------------------------------------------------

struct InFlightCase {
  const char* name;
  std::string text;
  std::string found;  // "phase entries" of the deployment, "" for none
  bool quarantine;
  bool paused = false;
};

TEST(InFlight, ATornOrForeignOneIsNeverFatal) {
  const std::string gating = dump_json(to_json(deployment(1, Phase::gating, 2))) + "\n";
  const std::string of_none = dump_json(to_json(deployment(9, Phase::gating))) + "\n";
  Json newer = to_json(deployment(1, Phase::gating));
  newer["schema"] = record_schema + 1;
  Json unknown_phase = to_json(deployment(1, Phase::gating));
  unknown_phase["phase"] = "dancing";
  Json other = to_json(deployment(1, Phase::gating));
  other["id"] = 99;
  const std::vector<InFlightCase> rows{
      {"whole", gating, "gating 2", false},
      {"empty", "", "", true},
      {"torn", gating.substr(0, 30), "", true},
      {"only the last newline is missing", gating.substr(0, gating.size() - 1), "gating 2", false},
      {"zeros, as some file systems leave them", std::string(512, '\0'), "", true},
      {"not JSON", "hello\n", "", true},
      {"of an unknown phase", dump_json(unknown_phase) + "\n", "", true},
      {"of another deployment", dump_json(other) + "\n", "", true},
      {"of a release that does not exist", of_none, "", true},
      // It is another version's to go on with.
      {"of a newer schema", dump_json(newer) + "\n", "", false, true},
  };
  for (const InFlightCase& row : rows) {
    SCOPED_TRACE(row.name);
    const test::TemporaryFolder folder;
    ASSERT_TRUE(save_in(folder / "shop", release(1)));
    const fs::path file = folder / "shop/deployments/100.json";
    write(file, row.text);
    Store store = open(folder / "shop");
    const std::string found = store.in_flight()
                                  ? std::string(to_string(store.in_flight()->phase)) + " " +
                                        std::to_string(store.in_flight()->phase_attempts)
                                  : std::string();
    EXPECT_EQ(found, row.found);
    EXPECT_EQ(fs::exists(file.string() + ".broken"), row.quarantine);
    EXPECT_EQ(store.problems().size(), row.quarantine || row.paused ? 1U : 0U);
    EXPECT_EQ(store.intent().paused, row.paused);
    if (row.quarantine) {
      EXPECT_EQ(read(file.string() + ".broken"), row.text);
    }
    EXPECT_EQ(store.next_deployment(), 101);
  }
}

TEST(InFlight, EndsWithItsEnd) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  ASSERT_TRUE(put(store, release(1)));
  Deployment one = deployment(1, Phase::pulling);
  ASSERT_TRUE(await(store.save(one)));
  ASSERT_TRUE(store.in_flight());
  EXPECT_EQ(open(folder / "shop").in_flight()->phase, Phase::pulling);
  one.ended_at = wall_now();
  one.outcome = Outcome::failed;
  ASSERT_TRUE(await(store.save(one)));
  EXPECT_FALSE(store.in_flight());
  EXPECT_FALSE(open(folder / "shop").in_flight());
}

TEST(InFlight, TheNewerOfTwoCounts) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  ASSERT_TRUE(put(store, release(1)));
  ASSERT_TRUE(put(store, release(2)));
  Deployment newer_one = deployment(2, Phase::switching);
  newer_one.id = 101;
  ASSERT_TRUE(await(store.save(deployment(1, Phase::rolling_back))));
  ASSERT_TRUE(await(store.save(newer_one)));
  const Store after = open(folder / "shop");
  ASSERT_TRUE(after.in_flight());
  EXPECT_EQ(after.in_flight()->release, 2);
  EXPECT_EQ(after.deployments().at(100).outcome, Outcome::failed);
  EXPECT_TRUE(after.deployments().at(100).ended_at);
}

TEST(InFlight, DoesNotGoBackToAReleaseThatCannotBeRead) {
  const test::TemporaryFolder folder;
  {
    Store store = open(folder / "shop");
    ASSERT_TRUE(put(store, release(1)));
    ASSERT_TRUE(put(store, release(2)));
    Deployment in_flight = deployment(2, Phase::gating);
    in_flight.fallback = 1;
    ASSERT_TRUE(await(store.save(in_flight)));
  }
  write(folder / "shop/releases/1/release.json", "{\"schema\": 1");
  const Store store = open(folder / "shop");
  ASSERT_TRUE(store.in_flight());
  EXPECT_EQ(store.in_flight()->fallback, 0);
  EXPECT_EQ(store.problems().size(), 2U);
}

// ---- What became of a release ---------------------------------------------------------------

// One deployment after the other, each as "KIND RELEASE OUTCOME", and what the record of release 1
// says in the end.
TEST(ReleaseRecord, IsWhatItsDeploymentsSay) {
  struct Step {
    DeploymentKind kind;
    int release;
    std::optional<Outcome> outcome;  // unset: in flight
  };
  struct Row {
    const char* name;
    std::vector<Step> steps;
    Outcome outcome;
    int made_good_by;
    std::string cause;
  };
  using enum Outcome;
  using Kind = DeploymentKind;
  const Step first{Kind::deploy, 1, good};
  const std::vector<Row> rows{
      {"nothing was begun", {}, in_progress, 0, ""},
      {"in flight", {{Kind::deploy, 1, {}}}, in_progress, 0, "1"},
      {"postponed", {{Kind::deploy, 1, postponed}}, in_progress, 0, "1"},
      {"postponed, then good", {{Kind::deploy, 1, postponed}, first}, good, 2, "2"},
      {"good", {first}, good, 1, "1"},
      {"another one was deployed", {first, {Kind::deploy, 2, good}}, good, 1, "1"},
      {"it broke on probation",
       {first, {Kind::probation_rollback, 1, rolled_back}},
       rolled_back,
       0,
       "1"},
      {"and goes back", {first, {Kind::probation_rollback, 1, {}}}, good, 1, "1"},
      {"an operator went back from it",
       {first, {Kind::operator_rollback, 2, good}},
       rolled_back,
       0,
       "1"},
      {"an operator could not", {first, {Kind::operator_rollback, 2, rolled_back}}, good, 1, "1"},
      {"an operator rolled back to it",
       {first, {Kind::operator_rollback, 2, good}, {Kind::operator_rollback, 1, good}},
       good,
       3,
       "1"},
      {"and could not, which says nothing against it",
       {first, {Kind::deploy, 2, good}, {Kind::operator_rollback, 1, failed}},
       good,
       1,
       "1"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Deployments deployments;
    for (const Step& step : row.steps) {
      Deployment one;
      one.id = static_cast<int>(deployments.size()) + 1;
      one.kind = step.kind;
      one.release = step.release;
      one.checkout = step.release == 1 ? 2 : 1;
      one.cause = std::to_string(one.id);
      if (step.outcome) one.ended_at = wall_now();
      one.outcome = step.outcome.value_or(in_progress);
      deployments[one.id] = one;
    }
    const ReleaseRecord record = record_of(release(1), deployments);
    EXPECT_EQ(record.outcome, row.outcome);
    EXPECT_EQ(record.made_good_by, row.made_good_by);
    EXPECT_EQ(record.cause, row.cause);
  }
}

// An operator's rollback to a release keeps how that was deployed before.
TEST(ReleaseRecord, KeepsEachDeployment) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  ReleaseRecord failed = release(1, {}, Outcome::failed);
  failed.failure = whole_failure();
  failed.timeline = {{"gating", moment("2026-11-23T00:07:24.000Z"), 6.25}};
  ASSERT_TRUE(put(store, failed));
  Deployment back = deployment(1, Phase::after);
  back.kind = DeploymentKind::operator_rollback;
  back.outcome = Outcome::good;
  back.ended_at = wall_now();
  back.timeline = {{"pulling", moment("2026-11-24T00:07:24.000Z"), 1}};
  ASSERT_TRUE(await(store.save(back)));
  const Store after = open(folder / "shop");
  EXPECT_EQ(after.find(1)->outcome, Outcome::good);
  EXPECT_FALSE(after.find(1)->failure);
  const Deployment& before = after.deployments().at(1);
  EXPECT_EQ(before.outcome, Outcome::failed);
  EXPECT_EQ(before.failure->reason, failed.failure->reason);
  EXPECT_EQ(before.timeline.at(0).phase, "gating");
}

// ---- State of schema 1 ----------------------------------------------------------------------

// As that version has written it: what became of a release is in its own file.
Json in_schema_1(const ReleaseRecord& release) {
  Json json = to_json(test::deployment_of(release, 1));
  json.update(to_json(static_cast<const Release&>(release)));
  for (const char* newer_member : {"id", "release", "ran", "ended_at", "kind", "phase"}) {
    json.erase(newer_member);
  }
  json["seen"] = release.seen;
  json["jobs"] = release.jobs;
  json["schema"] = 1;
  return json;
}

Json in_schema_1(const Deployment& in_flight) {
  Json json = to_json(in_flight);
  for (const char* newer_member : {"id", "ran", "ended_at", "outcome", "timeline", "cause"}) {
    json.erase(newer_member);
  }
  json["from"]["schema"] = 1;
  json["schema"] = 1;
  return json;
}

void write_schema_1(const fs::path& folder) {
  ReleaseRecord one = release(1);
  one.images["web"];
  one.seen = {{"web", {"w1"}}, {"job", {}}};
  one.jobs = {"job"};
  one.cause = "first deployment";
  ReleaseRecord two = release(2, {}, Outcome::in_progress);
  two.previous = 1;
  two.cause = "push c2";
  two.timeline = {{"pulling", moment("2026-11-23T00:07:24.000Z"), 6.25}};
  for (const ReleaseRecord& each : {one, two}) {
    const fs::path release_folder = folder / "releases" / std::to_string(each.number);
    write(release_folder / "release.json", dump_json(in_schema_1(each)));
    write(release_folder / "compose.yaml", "services: {web: {image: x}}\n");
  }
  fs::create_symlink("releases/1", folder / "current");
  const Json intent = {{"schema", 1},
                       {"paused", true},
                       {"paused_why", "moving house"},
                       {"held_commit", "c9"},
                       {"unit", "shop.service"}};
  write(folder / "intent.json", dump_json(intent));
  write(folder / "rejected.json", R"({"schema": 1, "keys": ["bad"]})");
  write(
      folder / "running.json",
      R"({"schema": 1, "release": 1, "services": {"web": {"release": 1, "containers": ["w1"]}}})");
}

TEST(Schema1, IsTakenOverAsItIs) {
  const test::TemporaryFolder folder;
  write_schema_1(folder / "shop");
  Deployment in_flight = deployment(2, Phase::gating, 2);
  in_flight.fallback = 1;
  const std::string line = dump_json(in_schema_1(in_flight)) + "\n";
  write(folder / "shop/journal", line + line.substr(0, 30));  // its last line is torn
  for (int start = 0; start < 2; ++start) {
    const Store store = open(folder / "shop");
    EXPECT_TRUE(store.problems().empty());
    EXPECT_EQ(numbers(store), (std::vector<int>{1, 2}));
    ASSERT_NE(store.current(), nullptr);
    EXPECT_EQ(store.current()->number, 1);
    EXPECT_EQ(store.current()->outcome, Outcome::good);
    EXPECT_EQ(store.current()->seen, (SeenContainers{{"web", {"w1"}}}));
    EXPECT_EQ(store.current()->jobs, (std::set<std::string>{"job"}));
    EXPECT_EQ(store.current()->cause, "first deployment");
    // What runs, what operators said and what was rejected is as it was.
    EXPECT_EQ(store.running().services.at("web").containers, (std::set<std::string>{"w1"}));
    EXPECT_TRUE(store.intent().paused);
    EXPECT_EQ(store.intent().held_commit, "c9");
    EXPECT_EQ(store.intent().unit, "shop.service");
    EXPECT_EQ(store.rejected(), (std::set<std::string>{"bad"}));
    // The deployment goes on where it was.
    ASSERT_TRUE(store.in_flight());
    EXPECT_EQ(store.in_flight()->phase, Phase::gating);
    EXPECT_EQ(store.in_flight()->phase_attempts, 2);
    EXPECT_EQ(store.in_flight()->fallback, 1);
    EXPECT_EQ(store.in_flight()->cause, "push c2");
    EXPECT_EQ(store.in_flight()->timeline.size(), 1U);
    EXPECT_EQ(store.deployments().size(), 2U);
    EXPECT_EQ(store.last_good_before(*store.find(2))->number, 1);
    EXPECT_FALSE(fs::exists(folder / "shop/journal"));
  }
}

// A kill between any two of the files that it writes.
TEST(Schema1, IsTakenOverInAnyNumberOfStarts) {
  const std::vector<std::string> written{"deployments/1.json", "deployments/2.json",
                                         "releases/1/release.json", "releases/2/release.json"};
  const auto line = [] {
    Deployment in_flight = deployment(2, Phase::gating);
    in_flight.fallback = 1;
    return dump_json(in_schema_1(in_flight)) + "\n";
  }();
  for (std::size_t cut = 0; cut <= written.size(); ++cut) {
    SCOPED_TRACE(cut);
    const test::TemporaryFolder folder;
    write_schema_1(folder / "whole");
    write(folder / "whole/journal", line);
    const Store whole_store = open(folder / "whole");
    write_schema_1(folder / "shop");
    write(folder / "shop/journal", line);
    for (std::size_t i = 0; i < cut; ++i) {
      write(folder / "shop" / written[i], read(folder / "whole" / written[i]));
    }
    const Store store = open(folder / "shop");
    ASSERT_TRUE(store.in_flight());
    EXPECT_EQ(to_json(*store.in_flight()), to_json(*whole_store.in_flight()));
    EXPECT_EQ(store.deployments().size(), whole_store.deployments().size());
    EXPECT_EQ(store.current()->outcome, Outcome::good);
    EXPECT_FALSE(fs::exists(folder / "shop/journal"));
  }
}

TEST(Schema1, ADeploymentThatIsNoNewOneIsAnotherOfItsRelease) {
  struct Row {
    DeploymentKind kind;
    Phase phase;
    DeploymentKind expected;
  };
  for (const Row& row :
       {Row{DeploymentKind::deploy, Phase::rolling_back, DeploymentKind::probation_rollback},
        Row{DeploymentKind::operator_rollback, Phase::starting, DeploymentKind::operator_rollback},
        Row{DeploymentKind::operator_rollback, Phase::rolling_back,
            DeploymentKind::operator_rollback}}) {
    const test::TemporaryFolder folder;
    write_schema_1(folder / "shop");
    Deployment in_flight = deployment(1, row.phase);
    in_flight.kind = row.kind;
    write(folder / "shop/journal", dump_json(in_schema_1(in_flight)) + "\n");
    const Store store = open(folder / "shop");
    ASSERT_TRUE(store.in_flight());
    EXPECT_EQ(store.in_flight()->id, 3);
    EXPECT_EQ(store.in_flight()->kind, row.expected);
    EXPECT_EQ(store.find(1)->outcome, Outcome::good);
  }
}

TEST(Schema1, AJournalThatCannotBeReadIsSetAside) {
  const test::TemporaryFolder folder;
  write_schema_1(folder / "shop");
  write(folder / "shop/journal", "{\"schema\": 1, \"rel");
  const Store store = open(folder / "shop");
  EXPECT_FALSE(store.in_flight());
  EXPECT_TRUE(fs::exists(folder / "shop/journal.broken"));
  EXPECT_EQ(store.problems().size(), 1U);
}

// ---- Broken files ---------------------------------------------------------------------------

struct BrokenCase {
  const char* name;
  const char* file;
  std::string text;
};

TEST(Record, TruncatedAndForeignFilesAreSetAsideAndReported) {
  const std::string whole = dump_json(to_json(release(1)));
  const std::vector<BrokenCase> rows{
      {"truncated release", "releases/1/release.json", whole.substr(0, whole.size() / 2)},
      {"empty release", "releases/1/release.json", ""},
      {"zeros", "releases/1/release.json", std::string(4096, '\0')},
      {"something else", "releases/1/release.json", R"(["hello"])"},
      {"release of schema 1 without a known outcome", "releases/1/release.json",
       R"({"schema": 1, "number": 1, "outcome": "splendid"})"},
      {"another release's file", "releases/1/release.json", dump_json(to_json(release(3)))},
  };
  for (const BrokenCase& row : rows) {
    SCOPED_TRACE(row.name);
    const test::TemporaryFolder folder;
    {
      Store store = open(folder / "shop");
      ASSERT_TRUE(put(store, release(1)));
      ASSERT_TRUE(put(store, release(2)));
      ASSERT_TRUE(await(store.reject("a")));
      ASSERT_TRUE(await(set_intent(store, {})));
    }
    const fs::path file = folder / "shop" / row.file;
    write(file, row.text);
    Store store = open(folder / "shop");
    ASSERT_EQ(store.problems().size(), 1U);
    EXPECT_NE(store.problems()[0].find(file.string()), std::string::npos) << store.problems()[0];
    EXPECT_FALSE(fs::exists(file));
    EXPECT_EQ(read(file.string() + ".broken"), row.text);
    // The rest is as it was, numbers are not given twice, and the next start complains no more.
    ASSERT_NE(store.find(2), nullptr);
    EXPECT_EQ(store.next_number(), 3);
    EXPECT_TRUE(open(folder / "shop").problems().empty());
  }
}

// ---- What operators said, and what was rejected ---------------------------------------------

const Intent moving{true, "moving house", moment("2026-11-23T00:07:23.000Z"), "c9", "shop.service"};

// A stack whose release 2 failed; paused by an operator.
void make_paused(const fs::path& folder) {
  Store store = open(folder);
  ASSERT_TRUE(put(store, release(1)));
  ASSERT_TRUE(put(store, release(2, "bad", Outcome::rolled_back)));
  ASSERT_TRUE(await(store.set_current(1)));
  ASSERT_TRUE(await(store.reject("bad")));
  ASSERT_TRUE(await(store.reject("an earlier one")));
  ASSERT_TRUE(await(set_intent(store, moving)));
}

const std::vector<std::pair<std::string, std::string>> unreadable{
    {"empty", ""},
    {"zeros", std::string(4096, '\0')},
    {"truncated", R"({"schema": 1, "pau)"},
    {"foreign", R"(["hello"])"},
    {"without a schema", R"({"keys": ["a"], "paused": false})"},
};
const std::string newer = R"({"schema": 3, "keys": {}, "paused": {}})";

TEST(Record, ATornFileOfWhatOperatorsSaidOrOfRejectionsLosesNothing) {
  for (const char* const name : {"intent.json", "rejected.json"}) {
    for (const auto& [what, text] : unreadable) {
      SCOPED_TRACE(std::string(name) + ", " + what);
      const test::TemporaryFolder folder;
      make_paused(folder / "shop");
      const fs::path file = folder / "shop" / name;
      write(file, text);
      const Store store = open(folder / "shop");
      ASSERT_EQ(store.problems().size(), 1U);
      EXPECT_NE(store.problems()[0].find(file.string()), std::string::npos) << store.problems()[0];
      EXPECT_EQ(store.intent().paused_why, "moving house");
      EXPECT_EQ(store.intent().held_commit, "c9");
      EXPECT_EQ(store.intent().unit, "shop.service");
      EXPECT_EQ(store.rejected(), (std::set<std::string>{"bad", "an earlier one"}));
      EXPECT_EQ(read(file.string() + ".broken"), text);
      EXPECT_TRUE(open(folder / "shop").problems().empty());
    }
  }
}

TEST(Record, OneThatIsGoneIsTakenFromItsCopy) {
  const test::TemporaryFolder folder;
  make_paused(folder / "shop");
  fs::remove(folder / "shop/intent.json");
  EXPECT_EQ(open(folder / "shop").intent().paused_why, "moving house");
  EXPECT_TRUE(open(folder / "shop").problems().empty());
}

TEST(Record, ACopyFromBeforeACrashIsNotBelieved) {
  const test::TemporaryFolder folder;
  make_paused(folder / "shop");
  const fs::path file = folder / "shop/intent.json";
  const std::string before = read(file);
  Store store = open(folder / "shop");
  Intent longer = moving;
  longer.paused_why = "moving further";
  ASSERT_TRUE(await(set_intent(store, longer)));
  write(file.string() + ".copy", before);
  EXPECT_EQ(open(folder / "shop").intent().paused_why, "moving further");
  EXPECT_EQ(read(file.string() + ".copy"), read(file));
}

TEST(Record, InDoubtTheStackIsPausedUntilSomebodyResumesIt) {
  std::vector<std::pair<std::string, std::string>> rows = unreadable;
  rows.emplace_back("of a newer version", newer);
  for (const char* const name : {"intent.json", "rejected.json"}) {
    for (const auto& [what, text] : rows) {
      SCOPED_TRACE(std::string(name) + ", " + what);
      const test::TemporaryFolder folder;
      make_paused(folder / "shop");
      {
        Store store = open(folder / "shop");
        ASSERT_TRUE(await(set_intent(store, {})));
      }
      const fs::path file = folder / "shop" / name;
      write(file, text);
      // What an older version wrote says nothing against a newer one.
      if (text != newer) write(file.string() + ".copy", text);
      for (int start = 0; start < 2; ++start) {
        const Store store = open(folder / "shop");
        ASSERT_EQ(store.problems().size(), 1U);
        EXPECT_TRUE(store.intent().paused);
        EXPECT_NE(store.intent().paused_why.find(file.string()), std::string::npos)
            << store.intent().paused_why;
        EXPECT_TRUE(store.rejected().contains("bad"));
        EXPECT_EQ(read(file), text);
      }
      Store store = open(folder / "shop");
      ASSERT_TRUE(await(store.accept_rejected()));
      ASSERT_TRUE(await(set_intent(store, {})));
      EXPECT_TRUE(store.problems().empty());
      EXPECT_EQ(read(file.string() + ".broken"), text);
      const Store after = open(folder / "shop");
      EXPECT_TRUE(after.problems().empty());
      EXPECT_FALSE(after.intent().paused);
      EXPECT_TRUE(after.rejected().contains("bad"));
    }
  }
}

TEST(Record, ARejectionInDoubtKeepsTheStackPaused) {
  const test::TemporaryFolder folder;
  make_paused(folder / "shop");
  {
    Store store = open(folder / "shop");
    ASSERT_TRUE(await(set_intent(store, {})));
  }
  write(folder / "shop/rejected.json", newer);
  {
    Store store = open(folder / "shop");
    ASSERT_TRUE(await(store.reject("worse")));
  }
  const Store store = open(folder / "shop");
  EXPECT_TRUE(store.intent().paused);
  EXPECT_EQ(store.rejected(), (std::set<std::string>{"bad", "worse"}));
  EXPECT_EQ(read(folder / "shop/rejected.json.broken"), newer);
}

TEST(Record, NothingThatWasSetAsideIsOverwritten) {
  const test::TemporaryFolder folder;
  make_paused(folder / "shop");
  const fs::path file = folder / "shop/intent.json";
  for (const char* const text : {"first", "second", "third"}) {
    write(file, text);
    open(folder / "shop");
  }
  EXPECT_EQ(read(file.string() + ".broken"), "first");
  EXPECT_EQ(read(file.string() + ".broken.2"), "second");
  EXPECT_EQ(read(file.string() + ".broken.3"), "third");
}

TEST(Record, WhatRunsByAReleaseOfANewerVersionIsLeftAlone) {
  const test::TemporaryFolder folder;
  make_paused(folder / "shop");
  {
    Store store = open(folder / "shop");
    ASSERT_TRUE(await(set_intent(store, {})));
  }
  const fs::path file = folder / "shop/releases/1/release.json";
  write(file, newer);
  for (int start = 0; start < 2; ++start) {
    const Store store = open(folder / "shop");
    EXPECT_EQ(store.current(), nullptr);
    EXPECT_TRUE(store.intent().paused);
    EXPECT_EQ(store.next_number(), 3);
    EXPECT_EQ(read(file), newer);
  }
}

TEST(Record, AStackThatCannotBeReadIsNotKeptInPart) {
  for (const char* const name : {"intent.json", "rejected.json", "releases"}) {
    SCOPED_TRACE(name);
    const test::TemporaryFolder folder;
    make_paused(folder / "shop");
    const fs::path path = folder / "shop" / name;
    for (const fs::path& each : {path, fs::path(path.string() + ".copy")}) fs::remove_all(each);
    if (std::string(name) == "releases") {
      write(path, "");
    } else {
      fs::create_directory(path);
    }
    const auto store = test::open_store(folder / "shop");
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().message.find(path.string()), std::string::npos)
        << store.error().message;
  }
}

TEST(Record, AReleaseThatWasNeverWrittenIsNone) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(await(open(folder / "shop").save_rendering(5, "services: {}\n")));
  fs::create_directories(folder / "shop/releases/notes");
  const Store store = open(folder / "shop");
  EXPECT_TRUE(store.releases().empty());
  EXPECT_TRUE(store.problems().empty());
  EXPECT_EQ(store.next_number(), 6);
}

TEST(Record, ACurrentLinkToNowhereIsReported) {
  for (const char* target : {"releases/9", "/etc", "releases/one"}) {
    const test::TemporaryFolder folder;
    ASSERT_TRUE(save_in(folder / "shop", release(1)));
    fs::create_symlink(target, folder / "shop/current");
    const Store store = open(folder / "shop");
    EXPECT_EQ(store.current(), nullptr) << target;
    EXPECT_EQ(store.problems().size(), 1U) << target;
  }
}

TEST(Record, ReleasesFromJsonMustHaveANumber) {
  for (const char* text : {"{}", "[]", "null", R"({"schema": "1"})", R"({"schema": 1})",
                           R"({"schema": 1, "number": 0, "outcome": "good"})",
                           R"({"schema": 1, "number": -3, "outcome": "good"})",
                           R"({"schema": 1, "number": "4", "outcome": "good"})"}) {
    EXPECT_FALSE(release_from_json(parse_json(text).value())) << text;
  }
  EXPECT_TRUE(release_from_json(
      parse_json(R"({"schema": 1, "number": 4, "outcome": "good", "later": [1]})").value()));
}

// ---- Which release to go back to ------------------------------------------------------------

TEST(Record, LastGoodIsTheNewestOtherContentThatWasNotRejected) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  for (const ReleaseRecord& one :
       {release(1, "a"), release(2, "b"), release(3, "c", Outcome::failed), release(4, "d"),
        release(5, "e", Outcome::rolled_back), release(6, "d"), release(7, "d"), release(8, "f")}) {
    ASSERT_TRUE(put(store, one));
  }
  struct Row {
    int than;
    int expected;
  };
  for (const Row& row : {Row{8, 7}, Row{7, 2}, Row{4, 2}, Row{3, 2}, Row{2, 1}, Row{1, 0}}) {
    const ReleaseRecord* const found = store.last_good_before(*store.find(row.than));
    EXPECT_EQ(found == nullptr ? 0 : found->number, row.expected) << row.than;
  }
  ASSERT_TRUE(await(store.reject("b")));
  EXPECT_EQ(store.last_good_before(*store.find(7))->number, 1);
}

TEST(Record, GoesBackToWhatRanBeforeNotToTheNumberBefore) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  // An operator went from 10 back to 8, and 12 and 13, of the same content, were deployed then.
  for (const auto& [number, previous] :
       std::map<int, int>{{5, 0}, {7, 5}, {8, 7}, {9, 8}, {10, 9}, {12, 8}, {13, 8}, {14, 13}}) {
    ReleaseRecord one = release(number, number == 13 ? "k12" : "");
    one.previous = previous;
    ASSERT_TRUE(put(store, one));
  }
  const auto back_from = [&](int number) {
    const ReleaseRecord* const found = store.last_good_before(*store.find(number));
    return found == nullptr ? 0 : found->number;
  };
  EXPECT_EQ(back_from(12), 8);
  EXPECT_EQ(back_from(13), 8);
  EXPECT_EQ(back_from(14), 13);
  EXPECT_EQ(back_from(8), 7);
  EXPECT_EQ(back_from(5), 0);
  ASSERT_TRUE(await(store.reject("k8")));
  EXPECT_EQ(back_from(12), 7);
  // Its record is gone: what was stepped over is none the better for it.
  ASSERT_TRUE(await(store.set_current(14)));
  ASSERT_TRUE(await(store.reject("k7")));
  EXPECT_EQ(back_from(12), 5);
  ReleaseRecord unknown = release(15);
  unknown.previous = 11;
  ASSERT_TRUE(put(store, unknown));
  EXPECT_EQ(back_from(15), 10);
}

TEST(Record, AWayBackThatIsHeldUpStillEndsWhereItLeads) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  for (const int number : {1, 2}) ASSERT_TRUE(put(store, release(number)));
  RunningSet running;
  running.release = 2;
  ASSERT_TRUE(await(store.set_running(running)));
  ASSERT_NE(release_to_go_back_to(store), nullptr);
  EXPECT_EQ(release_to_go_back_to(store)->number, 2);
  Deployment back;
  back.id = store.next_deployment();
  back.release = 2;
  back.fallback = 1;
  back.kind = DeploymentKind::probation_rollback;
  for (const auto& [phase, expected] : std::vector<std::pair<Phase, int>>{
           {Phase::rolling_back, 1}, {Phase::gating_rollback, 1}, {Phase::gating, 2}}) {
    back.phase = phase;
    ASSERT_TRUE(await(store.save(back)));
    ASSERT_NE(release_to_go_back_to(store), nullptr);
    EXPECT_EQ(release_to_go_back_to(store)->number, expected) << to_string(phase);
  }
}

// ---- What runs ------------------------------------------------------------------------------

TEST(Record, WhatRunsSurvivesARestart) {
  const test::TemporaryFolder folder;
  RunningSet running;
  running.release = 2;
  running.services = {{"web", {2, {"w1", "w2"}, false, false}},
                      {"job", {1, {}, true, false}},
                      {"api", {0, {}, false, true}}};
  {
    Store store = open(folder / "shop");
    ASSERT_TRUE(put(store, release(1)));
    ASSERT_TRUE(put(store, release(2)));
    ASSERT_TRUE(await(store.set_running(running)));
  }
  EXPECT_EQ(open(folder / "shop").running(), running);
  // What runs by a release whose record was lost is not known.
  write(folder / "shop/releases/2/release.json", "torn");
  running.release = 0;
  running.services.erase("web");
  EXPECT_EQ(open(folder / "shop").running(), running);
}

// What is said again is written, where it could not be written at first: a full disk, say.
TEST(Record, WhatRunsIsWrittenLaterWhereItCouldNotBe) {
  const test::TemporaryFolder folder;
  RunningSet running;
  running.release = 1;
  running.services = {{"web", {1, {"w1"}, false, true}}};
  const fs::path file = folder / "shop/running.json";
  {
    Store store = open(folder / "shop");
    ASSERT_TRUE(put(store, release(1)));
    fs::create_directories(file / "in its place");
    EXPECT_FALSE(await(store.set_running(running)));
    EXPECT_EQ(store.running(), running);
    fs::remove_all(file);
    EXPECT_TRUE(await(note_touched(store, Plan())));
  }
  EXPECT_TRUE(fs::exists(file));
  EXPECT_EQ(open(folder / "shop").running(), running);
}

TEST(Record, WhatRunsIsTakenFromTheDeploymentsWhereItIsLost) {
  struct Row {
    const char* name;
    int releases;  // of which the third has failed
    std::optional<Deployment> in_flight;
    int release;                      // that runs
    std::map<std::string, bool> web;  // container → whether it may have been changed since
  };
  Deployment forward = deployment(2, Phase::gating);
  forward.fallback = 1;
  forward.plan.steps = {{"web", Action::recreate, Risk::restart, {}}};
  Deployment probation = deployment(2, Phase::rolling_back);
  probation.kind = DeploymentKind::probation_rollback;
  probation.fallback = 1;
  Deployment verified = forward;
  verified.ran.release = 2;
  verified.ran.services["web"] = {2, {"new"}, false, false};
  for (const Row& row :
       {Row{"a good release", 2, {}, 2, {{"w2", false}}}, Row{"nothing", 0, {}, 0, {}},
        Row{"a release that failed", 3, {}, 2, {{"w2", true}}},
        Row{"a deployment in flight", 2, forward, 2, {{"w2", true}}},
        Row{"one that has passed its gate", 2, verified, 2, {{"new", false}}},
        Row{"one that goes back on probation", 2, probation, 2, {{"w2", false}}}}) {
    const test::TemporaryFolder folder;
    {
      Store store = open(folder / "shop");
      for (int number = 1; number <= row.releases; ++number) {
        ReleaseRecord one = release(number, {}, number == 3 ? Outcome::failed : Outcome::good);
        one.images["web"];
        if (number < 3) one.seen = {{"web", {"w" + std::to_string(number)}}};
        one.plan.steps = {{"web", Action::recreate, Risk::restart, {}}};
        ASSERT_TRUE(put(store, one));
      }
      if (row.in_flight) {
        ASSERT_TRUE(await(store.save(*row.in_flight)));
      }
    }
    const Store store = open(folder / "shop");
    EXPECT_EQ(store.running().release, row.release) << row.name;
    std::map<std::string, bool> web;
    if (const RunningService* const known = store.running().find("web")) {
      for (const std::string& id : known->containers) web[id] = known->is_touched;
    }
    EXPECT_EQ(web, row.web) << row.name;
  }
}

// What is unknown is never taken for unchanged.
TEST(Record, WhatADeploymentDidThatCannotBeReadIsNotKnown) {
  const test::TemporaryFolder folder;
  ReleaseRecord one = release(1);
  one.images["web"];
  one.seen = {{"web", {"w1"}}};
  ASSERT_TRUE(save_in(folder / "shop", one));
  EXPECT_TRUE(open(folder / "shop").running().is_whole());
  write(folder / "shop/deployments/2.json", "{");
  for (int start = 0; start < 2; ++start) {
    const Store store = open(folder / "shop");
    ASSERT_NE(store.running().find("web"), nullptr);
    EXPECT_TRUE(store.running().find("web")->is_touched);
  }
  // Nor is anything after the loss of all.
  fs::remove_all(folder / "shop");
  EXPECT_EQ(open(folder / "shop").running(), RunningSet());
}

// ---- Retention ------------------------------------------------------------------------------

struct RetireCase {
  const char* name;
  std::vector<ReleaseRecord> releases;
  int current;
  int keep;
  std::vector<int> left;
  std::optional<Deployment> in_flight = std::nullopt;
};

TEST(Record, RetentionCountsContentsAndSparesWhatIsNeeded) {
  Deployment old_fallback = deployment(6, Phase::gating);
  old_fallback.fallback = 1;
  const std::vector<ReleaseRecord> six{release(1), release(2), release(3),
                                       release(4), release(5), release(6)};
  const std::vector<RetireCase> rows{
      {"fewer than are kept", six, 6, 10, {1, 2, 3, 4, 5, 6}},
      {"two besides the current and the last good one", six, 6, 2, {3, 4, 5, 6}},
      {"none besides", six, 6, 0, {5, 6}},
      {"an old one is the current one", six, 2, 1, {1, 2, 6}},
      {"the fallback of the attempt in flight stays", six, 6, 0, {1, 5, 6}, old_fallback},
      {"bad ones do not push out the last good one",
       {release(1), release(2), release(3, "x", Outcome::rejected),
        release(4, "y", Outcome::rolled_back), release(5, "z", Outcome::rejected)},
       2,
       1,
       {1, 2, 5}},
      {"moves of the checkout count as the release that they repeat",
       {release(1, "a"), release(2, "b"), release(3, "c"), release(4, "c"), release(5, "c"),
        release(6, "c")},
       6,
       2,
       {1, 2, 4, 5, 6}},
      {"rejected ones without content count by their inputs",
       [] {
         std::vector<ReleaseRecord> all{release(1)};
         for (int number = 2; number <= 4; ++number) {
           ReleaseRecord one = release(number, {}, Outcome::rejected);
           one.content_key.clear();
           one.inputs_key = "i" + std::to_string(number);
           all.push_back(one);
         }
         return all;
       }(),
       1,
       2,
       {1, 3, 4}},
      {"nothing is deployed yet",
       {release(1, "a", Outcome::rejected), release(2, "b", Outcome::rejected)},
       0,
       1,
       {2}},
  };
  for (const RetireCase& row : rows) {
    SCOPED_TRACE(row.name);
    const test::TemporaryFolder folder;
    Store store = open(folder / "shop");
    for (const ReleaseRecord& one : row.releases) {
      ASSERT_TRUE(put(store, one));
      ASSERT_TRUE(await(store.save_rendering(one.number, "services: {}\n")));
    }
    if (row.current != 0) {
      ASSERT_TRUE(await(store.set_current(row.current)));
    }
    if (row.in_flight) {
      ASSERT_TRUE(await(store.save(*row.in_flight)));
    }
    const std::size_t before = store.releases().size();
    const Pruned pruned = await(store.prune(row.keep));
    ASSERT_TRUE(pruned.result);
    EXPECT_EQ(numbers(store), row.left);
    EXPECT_EQ(pruned.gone.size(), before - row.left.size());
    for (const int number : pruned.gone) EXPECT_FALSE(fs::exists(store.release_directory(number)));
    EXPECT_EQ(numbers(open(folder / "shop")), row.left);
  }
}

TEST(Record, RejectedKeysGoWithTheReleasesThatTheyCameFrom) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  const std::string suffix = "-here-" + std::string(64, '0');
  for (int number = 1; number <= 5; ++number) {
    ReleaseRecord one = release(number, {}, Outcome::rejected);
    one.inputs_key = std::string(63, 'f') + std::to_string(number);
    one.content_key = std::string(63, 'c') + std::to_string(number);
    ASSERT_TRUE(put(store, one));
    ASSERT_TRUE(await(store.reject(one.inputs_key + suffix)));
    ASSERT_TRUE(await(store.reject(one.content_key)));
  }
  ASSERT_TRUE(await(store.prune(2)).result);
  const std::string inputs(63, 'f');
  const std::string content(63, 'c');
  const std::set<std::string> left{inputs + "4" + suffix, inputs + "5" + suffix, content + "4",
                                   content + "5"};
  EXPECT_EQ(store.rejected(), left);
  EXPECT_EQ(open(folder / "shop").rejected(), left);
  // Where a record cannot be read, its keys are not known to be nobody's.
  std::ofstream(store.release_directory(4) / "release.json") << "{";
  Store torn = open(folder / "shop");
  ASSERT_TRUE(await(torn.prune(2)).result);
  EXPECT_EQ(torn.rejected(), left);
}

// Their images and commits go only if somebody learns of it.
TEST(Record, ReleasesThatAreGoneAreNamedThoughTheRestCannotBeWritten) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  for (int number = 1; number <= 3; ++number) {
    ReleaseRecord one = release(number, {}, Outcome::rejected);
    one.content_key = std::string(63, 'c') + std::to_string(number);
    ASSERT_TRUE(put(store, one));
    ASSERT_TRUE(await(store.reject(one.content_key)));
  }
  const fs::path in_the_way = folder / "shop/rejected.json";
  fs::remove(in_the_way);
  fs::create_directories(in_the_way / "full");
  const Pruned cut = await(store.prune(1));
  EXPECT_FALSE(cut.result);
  EXPECT_EQ(cut.gone, (std::vector<int>{2, 1}));
  EXPECT_EQ(numbers(store), std::vector<int>{3});
  fs::remove_all(in_the_way);
  const Pruned again = await(store.prune(1));
  EXPECT_TRUE(again.result);
  EXPECT_EQ(again.gone, std::vector<int>{});
  EXPECT_EQ(store.rejected(), std::set<std::string>{std::string(63, 'c') + "3"});
}

TEST(Record, WhatAKillHasLeftOfAReleaseOrAFileGoes) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  for (int number = 1; number <= 4; ++number) {
    ASSERT_TRUE(await(store.save_rendering(number, "services: {}\n")));
  }
  ASSERT_TRUE(put(store, release(1)));
  ASSERT_TRUE(await(store.set_current(3)));
  const fs::path of_release = store.release_directory(1) / ".release.json.aB3dE6";
  const fs::path of_stack = folder / "shop/.rejected.json.copy.aB3dE6";
  for (const fs::path& file : {of_release, of_stack}) std::ofstream(file) << "{";
  std::ofstream(store.release_directory(4) / "release.json") << "{";
  std::ofstream(store.release_directory(5)) << "somebody's notes";
  Store after = open(folder / "shop");
  EXPECT_FALSE(fs::exists(of_release));
  EXPECT_FALSE(fs::exists(of_stack));
  const Pruned pruned = await(after.prune(10));
  ASSERT_TRUE(pruned.result);
  EXPECT_EQ(pruned.gone, std::vector<int>{2});
  EXPECT_TRUE(fs::exists(store.release_directory(1)));
  EXPECT_FALSE(fs::exists(store.release_directory(2)));  // its writing was cut off
  EXPECT_TRUE(fs::exists(store.release_directory(3)));   // the unit boots from it
  EXPECT_TRUE(fs::exists(store.release_directory(4)));   // its record is quarantined for people
  EXPECT_TRUE(fs::exists(store.release_directory(5)));   // none of trimtab's
  EXPECT_EQ(after.next_number(), 6);
}

TEST(Record, YearsOfCommitsThatChangeNothingDoNotFillTheDisk) {
  const test::TemporaryFolder folder;
  Store store = open(folder / "shop");
  for (int number = 1; number <= 60; ++number) {
    ASSERT_TRUE(put(store, release(number, number == 1 ? "first" : "same")));
    ASSERT_TRUE(await(store.set_current(number)));
    ASSERT_TRUE(await(store.prune(5)).result);
  }
  EXPECT_EQ(numbers(store), (std::vector<int>{1, 55, 56, 57, 58, 59, 60}));
}

// ---- Words ----------------------------------------------------------------------------------

TEST(Record, ReadsBackTheWordsOfOutcomes) {
  for (const Outcome outcome : {Outcome::in_progress, Outcome::good, Outcome::rejected,
                                Outcome::rolled_back, Outcome::failed, Outcome::superseded}) {
    EXPECT_EQ(outcome_from(to_string(outcome)), outcome);
  }
  EXPECT_EQ(outcome_from("splendid"), std::nullopt);
}

TEST(Record, KeepsHooksAndProbation) {
  Deployment release = deployment(7, Phase::after);
  release.probation_until = parse_time("2026-11-23T08:00:00Z");
  HookRun hook;
  hook.phase = "before";
  hook.name = "db: pg_dump";
  hook.exit = 3;
  hook.seconds = 1.5;
  hook.problem = "exited with 3";
  hook.output = {"one", "two"};
  release.hooks.push_back(hook);
  hook.exit.reset();
  release.hooks.push_back(hook);
  const auto read = deployment_from_json(to_json(release));
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->probation_until, release.probation_until);
  ASSERT_EQ(read->hooks.size(), 2U);
  EXPECT_EQ(read->hooks[0].exit, 3);
  EXPECT_EQ(read->hooks[0].seconds, 1.5);
  EXPECT_EQ(read->hooks[0].problem, "exited with 3");
  EXPECT_EQ(read->hooks[0].output, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(read->hooks[0].name, "db: pg_dump");
  EXPECT_EQ(read->hooks[0].phase, "before");
  EXPECT_EQ(read->hooks[1].exit, std::nullopt);
}

TEST(Store, BootFilesAreNoOlderThanTheRendering) {
  test::TemporaryFolder folder;
  Store store = open(folder.path());
  ASSERT_TRUE(await(store.save_rendering(1, "services: {}\n")));
  EXPECT_FALSE(store.has_boot_files(1));
  ASSERT_TRUE(await(store.save_boot_files(1, "services: {}\n", "TRIMTAB_SERVICES=web\n")));
  EXPECT_TRUE(store.has_boot_files(1));
  const auto written = std::filesystem::last_write_time(store.compose_file(1));
  std::filesystem::last_write_time(store.compose_file(1), written + std::chrono::hours(1));
  EXPECT_FALSE(store.has_boot_files(1));
  EXPECT_FALSE(store.has_boot_files(2));
}

TEST(Store, BootFilesThatSayTheSameAreWrittenOnce) {
  test::TemporaryFolder folder;
  Store store = open(folder.path());
  ASSERT_TRUE(await(store.save_rendering(1, "services: {}\n")));
  const fs::path file = store.release_directory(1) / "boot.yaml";
  const auto inode_after_saving = [&](const std::string& env) {
    EXPECT_TRUE(await(store.save_boot_files(1, "services: {}\n", env)));
    struct stat info {};
    EXPECT_EQ(::stat(file.c_str(), &info), 0);
    return info.st_ino;
  };
  const auto first = inode_after_saving("A=1\n");
  fs::create_hard_link(file, folder / "first");  // so that its inode is not used again
  EXPECT_EQ(inode_after_saving("A=1\n"), first);
  const auto second = inode_after_saving("A=2\n");
  EXPECT_NE(second, first);
  fs::create_hard_link(file, folder / "second");
  fs::last_write_time(store.compose_file(1), fs::last_write_time(file) + std::chrono::hours(1));
  EXPECT_NE(inode_after_saving("A=2\n"), second) << "they were older than the rendering";
}

// An operator pauses while the unit is brought up: neither takes back what the other says.
TEST(Store, ChangesAtTheSameTimeAllCount) {
  test::TemporaryFolder folder;
  Store store = open(folder.path());
  asio::io_context loop;
  const std::function<void(Intent&)> pause = [](Intent& intent) { intent.paused = true; };
  const std::function<void(Intent&)> note_unit = [](Intent& intent) { intent.unit = "shop"; };
  int done = 0;
  const auto count = [&done](std::exception_ptr failure, Result<void> result) {
    if (!failure && result) ++done;
  };
  asio::co_spawn(loop, store.change_intent(pause), count);
  asio::co_spawn(loop, store.reject("k1"), count);
  asio::co_spawn(loop, store.change_intent(note_unit), count);
  asio::co_spawn(loop, store.reject("k2"), count);
  loop.poll();
  EXPECT_LT(done, 4) << "the loop did not wait for the disk";
  test::run_loop(loop);
  EXPECT_EQ(done, 4);
  const Store again = open(folder.path());
  EXPECT_TRUE(again.intent().paused);
  EXPECT_EQ(again.intent().unit, "shop");
  EXPECT_EQ(again.rejected(), (std::set<std::string>{"k1", "k2"}));
}

// ---- The rendering ------------------------------------------------------------------------------

const std::string whole = R"(services:
  db: {image: "db@sha256:1", volumes: ["data:/data"]}
  web: {image: "web@sha256:2"}
volumes: {data: {}}
)";

TEST(Rendering, ThatIsDamagedIsNotRead) {
  struct Row {
    const char* name;
    std::string text;
    const char* flaw;
  };
  for (const Row& row : {
           Row{"whole", whole, ""},
           {"empty", "", "it has no services"},
           {"null", "null\n", "it has no services"},
           {"without services", "services: {}\n", "it has no services"},
           {"cut off", whole.substr(0, whole.find("  web")), "it lacks the service web"},
           {"without its end", whole.substr(0, whole.find("volumes: {")),
            "it was changed after it was written"},
           {"edited", whole + "name: other\n", "it was changed after it was written"},
           {"binary", std::string("\0\xFF\xFE", 3), "it is not UTF-8"},
           {"nested too deep", std::string(200, '[') + std::string(200, ']'), "deep"},
       }) {
    test::TemporaryFolder folder;
    Store store = open(folder.path());
    ReleaseRecord known = release(1);
    known.images = {{"db", {"db:1", "db@sha256:1"}}, {"web", {"web:1", "web@sha256:2"}}};
    known.content_key = content_key(parse_yaml(whole).value(), {});
    ASSERT_TRUE(put(store, known));
    // That it was whole once says nothing.
    ASSERT_TRUE(await(store.save_rendering(1, whole)));
    ASSERT_TRUE(read_rendering(store, 1)) << row.name;
    ASSERT_TRUE(await(store.save_rendering(1, row.text)));
    const Result<Rendering> read = read_rendering(store, 1);
    ASSERT_EQ(static_cast<bool>(read), *row.flaw == '\0') << row.name;
    if (read) continue;
    EXPECT_EQ(read.error().code, Errc::failed) << row.name;
    EXPECT_NE(read.error().message.find(row.flaw), std::string::npos) << read.error().message;
  }
}

TEST(Rendering, ThatIsDamagedIsHadFromAnotherReleaseOfTheSameContent) {
  test::TemporaryFolder folder;
  Store store = open(folder.path());
  for (int number = 1; number <= 3; ++number) {
    ReleaseRecord known = release(number);
    known.images = {{"db", {"db:1", "db@sha256:1"}}, {"web", {"web:1", "web@sha256:2"}}};
    known.content_key = content_key(parse_yaml(whole).value(), {});
    if (number == 3) known.content_key = "another";
    ASSERT_TRUE(await(store.save_rendering(number, number == 1 ? whole : "")));
    ASSERT_TRUE(put(store, known));
  }
  EXPECT_TRUE(await(mend_rendering(store, 2)));
  EXPECT_EQ(store.rendering(2).value(), whole);
  EXPECT_FALSE(await(mend_rendering(store, 3)));
  EXPECT_EQ(await(mend_rendering(store, 4)).error().code, Errc::not_found);
}

TEST(Rendering, IsLostWhereItIsDamagedAndNothingPassesThatKeepsItFromBeingHad) {
  test::TemporaryFolder folder;
  Store store = open(folder.path());
  for (const int number : {1, 2}) {
    ReleaseRecord known = release(number);
    known.content_key.clear();
    ASSERT_TRUE(await(store.save_rendering(number, number == 1 ? whole : "")));
    ASSERT_TRUE(put(store, known));
  }
  const Error other{Errc::failed, "", {}};
  EXPECT_TRUE(is_lost(store, 2, other));
  EXPECT_TRUE(is_lost(store, 3, other));
  EXPECT_FALSE(is_lost(store, 2, Error{Errc::unavailable, "", {}}));
  EXPECT_FALSE(is_lost(store, 1, other));  // it is only that this Compose cannot render it
}

TEST(Rendering, TakesThePlaceOfAFolder) {
  test::TemporaryFolder folder;
  Store store = open(folder.path());
  fs::create_directories(store.compose_file(1) / "lost+found");
  ASSERT_TRUE(await(store.save_rendering(1, whole)));
  EXPECT_EQ(store.rendering(1).value(), whole);
}

}  // namespace
}  // namespace trimtab
