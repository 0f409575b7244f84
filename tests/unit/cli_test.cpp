#include <gtest/gtest.h>

#include <array>
#include <clocale>

#include "cli/client.hpp"
#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "cli/render.hpp"
#include "cli/server_events.hpp"

namespace trimtab::cli {
namespace {

// Widths of characters are asked of the C library.
const bool locale_set = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;

Screen screen(std::size_t width = 0, bool colour = false) {
  Screen out;
  out.width = width;
  out.colour = colour;
  out.now = parse_time("2026-11-23T12:00:00Z").value();
  return out;
}

Json json(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value ? std::move(*value) : Json();
}

// One text, with a line break before each line, as raw string literals have it.
std::string text(const Lines& lines) {
  std::string out;
  for (const std::string& line : lines) out += "\n" + line;
  return out;
}

Json shop() {
  return json(R"({
    "name": "shop", "state": "synced", "reason": "", "notices": [], "release": 42,
    "commit": "3f2c1ab000000000000000000000000000000000", "ref": "production",
    "subject": "Fix totals", "author": "Ana", "deployed_at": "2026-11-23T09:59:00Z",
    "observed_at": "2026-11-23T11:59:40Z", "healthy": 4, "services": 4,
    "containers": [
      {"service": "proxy", "image": "nginx:1.27", "digest": "aa11bb22cc33", "state": "running",
       "health": "healthy", "exit_code": 0, "restarts": 0, "since": "2026-11-14T11:00:00Z",
       "one_shot": false, "stopped_manually": false},
      {"service": "frontend", "image": "acme/frontend:latest", "digest": "77c0d1aa11bb",
       "state": "running", "health": "none", "exit_code": 0, "restarts": 1,
       "since": "2026-11-23T09:59:00Z", "one_shot": false, "stopped_manually": false},
      {"service": "migrate", "image": "acme/backend:latest", "digest": "9ab13eaa11bb",
       "state": "exited", "health": "none", "exit_code": 0, "restarts": 0,
       "since": "2026-11-23T09:59:00Z", "one_shot": true, "stopped_manually": false}
    ],
    "git": {"url": "git@example.com:acme/shop.git", "ref": "production",
            "commit": "3f2c1ab000000000000000000000000000000000",
            "checked_at": "2026-11-23T11:59:48Z", "interval_seconds": 30, "error": ""},
    "images": {"watched": 2, "checked_at": "2026-11-23T11:59:20Z", "interval_seconds": 60,
               "errors": []},
    "drift": [], "next": "nothing to do: release 42 is up to date with Git and the registry",
    "checked_at": "2026-11-23T11:59:48Z", "deployment": null, "last_request": null
  })");
}

Json release_44() {
  return json(R"({
    "number": 44, "commit": "c0ffee1000000000000000000000000000000000", "ref": "production",
    "subject": "Refactor settings", "author": "Ben", "created_at": "2026-11-23T11:58:00Z",
    "outcome": "rolled_back", "cause": "new commit", "compose": "docker compose 2.26.1",
    "images": {"backend": "acme/backend@sha256:52fe07"},
    "plan": [
      {"service": "backend", "action": "recreate", "risk": "restart",
       "reasons": ["image 9ab13e… → 52fe07…", "environment changed: SECRET_KEY"]},
      {"service": "db", "action": "none", "risk": "none", "reasons": []}],
    "timeline": [
      {"phase": "pulling", "started_at": "2026-11-23T11:58:00.000Z", "seconds": 6.2},
      {"phase": "switching", "started_at": "2026-11-23T11:58:06.200Z", "seconds": 0.1},
      {"phase": "starting", "started_at": "2026-11-23T11:58:06.300Z", "seconds": 2},
      {"phase": "gating", "started_at": "2026-11-23T11:58:08.300Z", "seconds": 10.7},
      {"phase": "rolling_back", "started_at": "2026-11-23T11:58:19.000Z", "seconds": 2}],
    "failure": {"cause": "release", "phase": "gating",
      "reason": "backend exited with 1, 3 times in 12 s",
      "services": [{"service": "backend", "reason": "exited with 1, 3 times",
                    "log": ["SECRET_KEY: field required"]}]},
    "current": false, "notices": []
  })");
}

TEST(Layout, CountsColumnsNotBytes) {
  ASSERT_TRUE(locale_set);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("Grüße…"), 6U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("a\xff"), 2U);  // what is not UTF-8 takes a column
}

TEST(Layout, CutsAtCharacters) {
  struct Case {
    std::string text;
    std::size_t width;
    std::string end;
    std::string start;
  };
  const std::vector<Case> cases = {
      {"backend", 7, "backend", "backend"},
      {"backend", 4, "bac…", "…end"},
      {"Grüße", 4, "Grü…", "…üße"},
      {"日本語", 4, "日…", "…語"},
      {"backend", 1, "…", "…"},
      {"backend", 0, "", ""},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(cut_end(c.text, c.width), c.end) << c.text << c.width;
    EXPECT_EQ(cut_start(c.text, c.width), c.start) << c.text << c.width;
  }
}

TEST(Layout, WrapsAtSpaces) {
  EXPECT_EQ(wrap("one two three", 0), Lines{"one two three"});
  EXPECT_EQ(wrap("one two three", 8), (Lines{"one two", "three"}));
  EXPECT_EQ(wrap("a averyveryverylongword b", 6), (Lines{"a", "averyveryverylongword", "b"}));
}

TEST(Layout, MakesForeignTextHarmless) {
  EXPECT_EQ(one_line("a\x1b[31mb\nc\td\x07"), "a?[31mb c d?");
}

TEST(Layout, TableCutsTheElasticColumnAtItsStart) {
  const std::vector<Row> rows = {
      {{"web", Colour::plain},
       {"registry.example.com/acme/web:latest", Colour::plain},
       {"healthy"}},
      {{"db", Colour::plain}, {"postgres:16", Colour::plain}, {"exited with 1"}}};
  EXPECT_EQ(text(table(screen(), 2, 1, rows)), R"(
  web  registry.example.com/acme/web:latest  healthy
  db   postgres:16                           exited with 1)");
  EXPECT_EQ(text(table(screen(40), 2, 1, rows)), R"(
  web  …m/acme/web:latest  healthy
  db   postgres:16         exited with 1)");
  EXPECT_EQ(text(table(screen(24), 2, 1, rows)), R"(
  web  …/web:latest  he…
  db   postgres:16   ex…)");
}

TEST(Render, StatusOfOneStack) {
  EXPECT_EQ(text(render_stack(shop(), screen())), R"(
shop  synced   release 42 · 3f2c1ab (production) "Fix totals", Ana, 2 h ago
  proxy     nginx:1.27            healthy  up 9 days          aa11bb…
  frontend  acme/frontend:latest  running  up 2 h, 1 restart  77c0d1…
  migrate   acme/backend:latest   done     2 h ago            9ab13e…
  git       checked 12 s ago, every 30 s
  images    2 watched, checked 40 s ago, every 60 s
  next      nothing to do: release 42 is up to date with Git and the registry)");
}

TEST(Render, StatusFitsANarrowTerminal) {
  const Lines lines = render_stack(shop(), screen(60));
  for (const std::string& line : lines) EXPECT_LE(display_width(line), 60U) << line;
  EXPECT_EQ(lines.back(), "            and the registry");
}

TEST(Render, StatusShowsWhatIsWrong) {
  Json stack = shop();
  stack["state"] = "degraded";
  stack["reason"] = "frontend is unhealthy; see `trimtab logs shop frontend`";
  stack["containers"][1]["health"] = "unhealthy";
  stack["containers"][2]["exit_code"] = 3;
  stack["containers"].push_back(stack["containers"][0]);
  stack["containers"][3]["service"] = "db";
  stack["containers"][3]["state"] = "missing";
  stack["containers"][3]["since"] = nullptr;
  stack["containers"].push_back(stack["containers"][0]);
  stack["containers"][4]["service"] = "cron";
  stack["containers"][4]["state"] = "exited";
  stack["containers"][4]["stopped_manually"] = true;
  stack["git"]["error"] = "example.com cannot be reached";
  stack["images"]["errors"] = json(R"([{"image": "acme/backend:latest", "error": "not found"}])");
  stack["drift"] = json(R"(["db is missing"])");
  stack["notices"] = json(R"(["history was rewritten"])");
  stack["next"] = "looks again in 30 s";
  EXPECT_EQ(text(render_stack(stack, screen())), R"(
shop  degraded   release 42 · 3f2c1ab (production) "Fix totals", Ana, 2 h ago
  why       frontend is unhealthy; see `trimtab logs shop frontend`
  proxy     nginx:1.27            healthy           up 9 days          aa11bb…
  frontend  acme/frontend:latest  unhealthy         up 2 h, 1 restart  77c0d1…
  migrate   acme/backend:latest   exited with 3     2 h ago            9ab13e…
  db        nginx:1.27            missing                              aa11bb…
  cron      nginx:1.27            stopped manually  9 days ago         aa11bb…
  git       example.com cannot be reached (tried 12 s ago, every 30 s)
  images    2 watched, checked 40 s ago, every 60 s
            acme/backend:latest: not found
  drift     db is missing
  note      history was rewritten
  next      looks again in 30 s)");
}

TEST(Render, StatusOfAStackThatNeverDeployed) {
  Json stack = shop();
  stack["state"] = "starting";
  for (const char* key : {"release", "deployed_at"}) stack[key] = nullptr;
  stack["commit"] = "";
  stack["containers"] = Json::array();
  stack["git"]["checked_at"] = nullptr;
  stack["images"]["checked_at"] = nullptr;
  stack["next"] = "";
  EXPECT_EQ(text(render_stack(stack, screen())), R"(
shop  starting   no release yet
  git     not checked yet
  images  2 watched)");
}

TEST(Render, StatusSaysHowOldItIsWhereDockerDoesNotAnswer) {
  Json stack = shop();
  EXPECT_EQ(text(render_stack(stack, screen())).find("as reported by Docker"), std::string::npos);
  stack["observed_at"] = "2026-11-23T11:50:00Z";
  EXPECT_NE(text(render_stack(stack, screen())).find("as reported by Docker 10 min ago"),
            std::string::npos);
}

TEST(Render, StatusShowsWhereTheRefHasMovedTo) {
  Json stack = shop();
  stack["git"]["commit"] = "b81d2f0000000000000000000000000000000000";
  EXPECT_NE(text(render_stack(stack, screen()))
                .find("\n  git       checked 12 s ago, every 30 s; production is at b81d2f0\n"),
            std::string::npos);
}

TEST(Render, ColoursOnlyWhereTheScreenHasThem) {
  EXPECT_EQ(text(render_stack(shop(), screen())).find('\x1b'), std::string::npos);
  EXPECT_NE(text(render_stack(shop(), screen(0, true))).find("\x1b[32mhealthy\x1b[0m"),
            std::string::npos);
}

TEST(Render, StatusOfSeveralStacks) {
  Json blog = shop();
  blog["name"] = "blog";
  blog["state"] = "waiting";
  blog["reason"] = "waiting for image acme/blog:latest";
  blog["release"] = nullptr;
  Json status = {{"docker", {{"error", ""}}}};
  status["stacks"].push_back(std::move(blog));
  status["stacks"].push_back(shop());
  EXPECT_EQ(text(render_status(status, screen())), R"(
blog  waiting  no release yet                     healthy 4/4  checked 12 s ago
      waiting for image acme/blog:latest
shop  synced   release 42 · 3f2c1ab (production)  healthy 4/4  checked 12 s ago)");
}

TEST(Render, StatusSaysThatDockerDoesNotAnswer) {
  Json status = {{"docker", {{"error", "stopped; systemctl start docker"}}}};
  status["stacks"].push_back(shop());
  const Lines lines = render_status(status, screen());
  EXPECT_EQ(lines[0], "Docker: stopped; systemctl start docker");
  EXPECT_TRUE(lines[1].starts_with("shop  synced"));
  status["stacks"] = Json::array();
  EXPECT_EQ(render_status(status, screen()).back(),
            "No stack is configured; `trimtab check` shows which files are read.");
}

TEST(Render, SummaryLineHasNoAges) {
  EXPECT_EQ(summary_line(shop()), "shop: synced, release 42 (3f2c1ab production), healthy 4/4");
  Json stack = shop();
  stack["state"] = "paused";
  stack["reason"] = "paused by an operator";
  stack["release"] = nullptr;
  EXPECT_EQ(summary_line(stack), "shop: paused, healthy 4/4; paused by an operator");
}

TEST(Render, ForeignTextCannotDriveTheTerminal) {
  const std::string evil = "a\x1b]0;x\x07\nb";
  Json stack = shop();
  for (const char* key :
       {"name", "state", "reason", "ref", "subject", "author", "next", "commit"}) {
    stack[key] = evil;
  }
  for (Json& container : stack["containers"]) {
    for (const char* key : {"service", "image", "digest", "health", "state"}) container[key] = evil;
  }
  stack["git"]["error"] = evil;
  stack["images"]["errors"] = {{{"image", evil}, {"error", evil}}};
  stack["drift"] = stack["notices"] = {evil};
  Json release = release_44();
  for (const char* key : {"commit", "ref", "subject", "author", "outcome", "cause", "compose"}) {
    release[key] = evil;
  }
  release["images"] = {{evil, evil}};
  release["plan"][0]["service"] = release["plan"][0]["reasons"][0] = evil;
  release["timeline"][0]["phase"] = release["timeline"][0]["started_at"] = evil;
  release["failure"]["reason"] = release["failure"]["services"][0]["log"][0] = evil;
  Json plan = {{"stack", evil}, {"verdict", evil}, {"to", {{"commit", evil}, {"subject", evil}}}};
  plan["steps"] = release["plan"];
  plan["findings"] = {{{"severity", evil}, {"message", evil}, {"hint", evil}}};
  Json request = {{"outcome", evil}, {"message", evil}, {"release", 3}};
  Json event = {{"at", evil}, {"stack", evil}, {"message", evil}};
  Json deployment = {{"phase", "gating"}, {"services", {{{"service", evil}, {"health", evil}}}}};

  Lines lines = render_stack(stack, screen());
  append(lines, {summary_line(stack)});
  append(lines, render_release("shop", release, screen()));
  append(lines, render_history({{"releases", {release}}}, screen()));
  append(lines, render_plan(plan, screen()));
  append(lines, deploy_outcome("shop", request, release, screen()));
  append(lines, live_phase(deployment, deploy_label, screen()));
  append(lines, {deploy_heading("shop", release), render_event(event, screen())});
  for (const std::string& line : lines) {
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
  }
}

TEST(Render, MissingMembersLeaveGaps) {
  const Json nothing = Json::object();
  EXPECT_FALSE(render_stack(nothing, screen(80)).empty());
  EXPECT_FALSE(render_status(nothing, screen(80)).empty());
  EXPECT_FALSE(render_plan(nothing, screen(80)).empty());
  EXPECT_FALSE(render_history(nothing, screen(80)).empty());
  EXPECT_FALSE(render_release("shop", nothing, screen(80)).empty());
  EXPECT_FALSE(deploy_outcome("shop", nothing, nothing, screen(80)).empty());
  EXPECT_FALSE(live_phase(nothing, deploy_label, screen(80)).empty());
  // Of another type than it should be.
  EXPECT_FALSE(
      render_stack(json(R"({"name": 1, "containers": {}, "git": [], "release": "x"})"), screen())
          .empty());
}

TEST(Render, PlanSaysWhatChangesAndWhy) {
  Json plan = json(R"({
    "stack": "shop", "from": 42,
    "to": {"commit": "b81d2f0000000000000000000000000000000000", "subject": "Faster search"},
    "verdict": "would deploy",
    "steps": [
      {"service": "backend", "action": "recreate", "risk": "restart",
       "reasons": ["image 9ab13e… → 52fe07…"]},
      {"service": "proxy", "action": "reload", "risk": "none",
       "reasons": ["mounted file changed: nginx.conf"]},
      {"service": "db", "action": "recreate", "risk": "data", "reasons": ["image changed"]},
      {"service": "cron", "action": "none", "risk": "none", "reasons": ["stopped manually"]},
      {"service": "frontend", "action": "none", "risk": "none", "reasons": []},
      {"service": "cache", "action": "none", "risk": "none", "reasons": []}],
    "findings": [{"name": "env-key", "severity": "warning", "message": ".env lacks SMTP_HOST",
                  "hint": "add it to /srv/shop/.env"}],
    "pull": {"bytes": 38000000, "total_bytes": 112000000, "free_bytes": 4100000000,
             "images": ["acme/backend:latest"]}
  })");
  EXPECT_EQ(text(render_plan(plan, screen())), R"(
shop: release 42 → b81d2f0 "Faster search"
  backend  recreate  image 9ab13e… → 52fe07…
  proxy    reload    mounted file changed: nginx.conf
  db       recreate  data at risk; image changed
  cron     leave     stopped manually
  frontend, cache: unchanged
  pulls acme/backend:latest: 38 MB of 112 MB, 4.1 GB are free
  warning  .env lacks SMTP_HOST
           add it to /srv/shop/.env)");

  plan["verdict"] = "rejected";
  plan["from"] = nullptr;
  plan["steps"] = Json::array();
  plan["findings"][0]["severity"] = "error";
  EXPECT_EQ(text(render_plan(plan, screen())), R"(
shop: first release → b81d2f0 "Faster search": rejected
  error    .env lacks SMTP_HOST
           add it to /srv/shop/.env)");

  plan["verdict"] = "nothing to do";
  plan["from"] = 42;
  plan["findings"] = Json::array();
  EXPECT_EQ(text(render_plan(plan, screen())), R"(
shop: nothing to do, release 42 runs b81d2f0 "Faster search")");
}

TEST(Render, HistoryMarksTheCurrentRelease) {
  Json good = release_44();
  good["number"] = 43;
  good["outcome"] = "good";
  good["current"] = true;
  good["created_at"] = "2026-11-22T11:00:00Z";
  Json answer = {{"stack", "shop"}};
  answer["releases"].push_back(release_44());
  answer["releases"].push_back(std::move(good));
  EXPECT_EQ(text(render_history(answer, screen())), R"(
   release  outcome      commit   made       subject                 cause
   44       rolled back  c0ffee1  2 min ago  Refactor settings, Ben  new commit
*  43       good         c0ffee1  25 h ago   Refactor settings, Ben  new commit
* is current)");
  answer["releases"] = Json::array();
  EXPECT_EQ(render_history(answer, screen()), Lines{"shop: no release yet"});
}

TEST(Render, ReleaseWithItsWholeRecord) {
  EXPECT_EQ(text(render_release("shop", release_44(), screen())), R"(
shop release 44  rolled back
  commit    c0ffee1000000000000000000000000000000000 (production)
            "Refactor settings", Ben
  made      2 min ago, 2026-11-23T11:58:00Z
  cause     new commit
  compose   docker compose 2.26.1
  images
    backend  acme/backend@sha256:52fe07
  plan
    backend  recreate   image 9ab13e… → 52fe07…; environment changed: SECRET_KEY
    db       unchanged
  timeline
    2026-11-23T11:58:00.000Z  pulling       6.2 s
    2026-11-23T11:58:06.200Z  switching     100 ms
    2026-11-23T11:58:06.300Z  starting      2 s
    2026-11-23T11:58:08.300Z  gating        11 s
    2026-11-23T11:58:19.000Z  rolling back  2 s
  failed    while gating: backend exited with 1, 3 times in 12 s
    backend: exited with 1, 3 times
      | SECRET_KEY: field required)");
}

TEST(Render, ReleaseThatWasDeployedMoreThanOnceTellsOfEach) {
  Json release = release_44();
  release["failure"] = nullptr;
  release["timeline"] = release["plan"] = Json::array();
  const Json first = json(R"({"started_at": "2026-11-22T11:58:00Z", "kind": "deploy",
    "outcome": "rolled_back", "cause": "new commit", "failure": {"reason": "web is away"}})");
  release["deployments"] = Json::array({first});
  EXPECT_EQ(text(render_release("shop", release, screen())).find("deployments"), std::string::npos);
  release["deployments"].push_back(json(R"({"started_at": "2026-11-23T11:58:00Z",
    "kind": "operator_rollback", "outcome": "good", "cause": "an operator rolled back to it",
    "failure": null})"));
  const std::string shown = text(render_release("shop", release, screen()));
  EXPECT_EQ(shown.substr(shown.find("  deployments")), R"(  deployments
    2026-11-22T11:58:00Z  deploy             rolled back  web is away
    2026-11-23T11:58:00Z  operator rollback  good         an operator rolled back to it)");
}

TEST(Render, EventIsOneLine) {
  const Json event = json(R"({"at": "2026-11-23T11:59:59.123Z", "stack": "shop", "type": "phase",
                              "message": "release 44: pulling"})");
  EXPECT_EQ(render_event(event, screen()), "2026-11-23T11:59:59Z shop: release 44: pulling");
}

TEST(Deploy, TellsEachPhaseOnceWhenItHasEnded) {
  Json release = release_44();
  release["outcome"] = "in_progress";
  release["failure"] = nullptr;
  const Json timeline = release["timeline"];
  std::size_t done = 0;
  release["timeline"] = Json::array();
  EXPECT_EQ(ended_phases(release, 0, screen(), done), Lines());
  release["timeline"].push_back(timeline[0]);  // pulling has begun
  EXPECT_EQ(ended_phases(release, 0, screen(), done), Lines());
  release["timeline"].push_back(timeline[1]);
  EXPECT_EQ(ended_phases(release, 38000000, screen(), done), Lines{"  pulled     38 MB in 6.2 s"});
  EXPECT_EQ(ended_phases(release, 38000000, screen(), done), Lines());
  release["timeline"].push_back(timeline[2]);
  release["timeline"].push_back(timeline[3]);
  EXPECT_EQ(text(ended_phases(release, 38000000, screen(), done)), R"(
  switched   to c0ffee1
  started    backend in 2 s)");
  release["timeline"].push_back(
      json(R"({"phase": "committing", "started_at": "2026-11-23T11:58:19Z", "seconds": 0})"));
  EXPECT_EQ(ended_phases(release, 38000000, screen(), done), Lines{"  healthy    after 11 s"});
  release["outcome"] = "good";
  EXPECT_EQ(ended_phases(release, 38000000, screen(), done), Lines());
}

TEST(Deploy, AGateThatFailedIsNotCalledHealthy) {
  std::size_t done = 3;
  EXPECT_EQ(ended_phases(release_44(), 0, screen(), done),
            Lines{"  failed     while checking, after 11 s"});
  EXPECT_EQ(done, 4U);
}

TEST(Deploy, APhaseThatWasBegunAgainIsToldOnce) {
  Json release = release_44();
  release["timeline"].insert(release["timeline"].begin() + 2, release["timeline"][2]);
  release["timeline"][2]["seconds"] = nullptr;
  std::size_t done = 2;
  EXPECT_EQ(text(ended_phases(release, 0, screen(), done)), R"(
  started    backend in 2 s
  failed     while checking, after 11 s)");
}

TEST(Deploy, ShowsThePhaseInFlight) {
  Json deployment =
      json(R"({"release": 44, "phase": "pulling", "started_at": "2026-11-23T11:59:50Z",
    "phase_started_at": "2026-11-23T11:59:54Z",
    "pull": {"current": 0, "total": 0, "image": ""}, "services": []})");
  EXPECT_EQ(text(live_phase(deployment, deploy_label, screen())), R"(
  pulling    release 44, for 6 s)");
  deployment["pull"] = json(R"({"current": 19000000, "total": 38000000, "image": "acme/backend"})");
  EXPECT_EQ(text(live_phase(deployment, deploy_label, screen())), R"(
  pulling    ██████████░░░░░░░░░░ 19 MB of 38 MB  acme/backend)");
  EXPECT_EQ(text(live_phase(deployment, deploy_label, screen(40))), R"(
  pulling    ██████████░░░░░░░░░░ 19 MB…)");
  deployment["pull"]["current"] = 38000000;
  EXPECT_EQ(text(live_phase(deployment, deploy_label, screen())), R"(
  pulling    ████████████████████ 38 MB of 38 MB, unpacking  acme/backend)");
  deployment["phase"] = "gating_rollback";
  EXPECT_EQ(text(live_phase(deployment, deploy_label, screen())), R"(
  checking   what was put back, for 6 s)");
  deployment["phase"] = "gating";
  deployment["services"] = json(R"([{"service": "backend", "health": "starting, 12 s"},
                                 {"service": "db", "health": "healthy"}])");
  EXPECT_EQ(text(live_phase(deployment, deploy_label, screen())), R"(
  checking   release 44, for 6 s
    backend  starting, 12 s
    db       healthy)");
}

TEST(Deploy, OutcomeSaysWhatRunsAndWhatNext) {
  const auto request = [](std::string_view outcome, std::string_view message, int release) {
    Json out = {{"id", "1"}, {"outcome", outcome}, {"message", message}};
    if (release != 0) out["release"] = release;
    return out;
  };
  const Json none = Json::object();
  EXPECT_EQ(deploy_outcome("shop", request("done", "", 44), none, screen()),
            Lines{"shop: release 44 runs"});
  EXPECT_EQ(deploy_outcome("shop", request("done", "release 44 (c0ffee1) is deployed", 44), none,
                           screen()),
            Lines{"shop: release 44 (c0ffee1) is deployed"});
  EXPECT_EQ(deploy_outcome("shop", request("nothing_to_do", "release 42 runs", 42), none, screen()),
            Lines{"shop: nothing to do: release 42 runs"});
  EXPECT_EQ(deploy_outcome("shop", request("rejected", ".env lacks SECRET_KEY", 0), none, screen()),
            Lines{"  .env lacks SECRET_KEY"});
  EXPECT_EQ(text(deploy_outcome(
                "shop", request("rolled_back", "rolled back to release 43: backend exited", 44),
                release_44(), screen())),
            R"(
  rolled back to release 43: backend exited
    backend: exited with 1, 3 times
      | SECRET_KEY: field required
Release 44 is not retried until something in it changes; `trimtab show shop 44` shows all of it)");
  Json world = release_44();
  world["failure"]["cause"] = "host";
  EXPECT_EQ(text(deploy_outcome("shop", request("failed", "", 44), world, screen(60))), R"(
  failed: backend exited with 1, 3 times in 12 s
    backend: exited with 1, 3 times
      | SECRET_KEY: field required
`trimtab show shop 44` shows all of it)");
}

TEST(ServerEvents, ArePutTogetherFromPieces) {
  const std::string stream =
      ": connected\n\nevent: state\ndata: {\"a\":1}\n\ndata:one\r\ndata: two\r\n\r\nevent: x\n\n"
      "id: 7\nevent: facts\ndata: {}\n\nevent: cut\ndata: {";
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    std::vector<std::pair<std::string, std::string>> got;
    EventParser parser(
        [&got](std::string_view type, std::string_view data) { got.emplace_back(type, data); });
    for (std::size_t i = 0; i < stream.size(); i += size) parser.feed(stream.substr(i, size));
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"state", "{\"a\":1}"}, {"", "one\ntwo"}, {"facts", "{}"}};
    EXPECT_EQ(got, expected) << size;
  }
}

TEST(ServerEvents, EndlessLinesAreDropped) {
  int events = 0;
  EventParser parser([&events](std::string_view, std::string_view) { ++events; });
  parser.feed("data: ");
  for (int i = 0; i < 64; ++i) parser.feed(std::string(64 * 1024, 'x'));
  parser.feed("\n\ndata: y\n\n");
  EXPECT_EQ(events, 1);
}

TEST(Client, ProblemsBecomeErrors) {
  struct Case {
    int status;
    std::string body;
    Errc code;
    std::string text;
    int exit;
  };
  const std::vector<Case> cases = {
      {409, R"({"title": "Conflict", "detail": "shop is paused", "hint": "trimtab resume shop"})",
       Errc::conflict, "shop is paused; trimtab resume shop", exit_failed},
      {400, R"({"title": "Bad Request"})", Errc::invalid, "Bad Request", exit_usage},
      {404, R"({"detail": "no release 9"})", Errc::not_found, "no release 9", exit_usage},
      {403, "", Errc::denied, "trimtabd answers 403", exit_failed},
      {500, "<html>", Errc::failed, "trimtabd answers 500", exit_failed},
  };
  for (const Case& c : cases) {
    http::Response response;
    response.status = c.status;
    response.body = c.body;
    const Error error = problem_error(response);
    EXPECT_EQ(error.code, c.code) << c.status;
    EXPECT_EQ(error.text(), c.text);
    EXPECT_EQ(exit_code(error.code), c.exit);
  }
  EXPECT_EQ(exit_code(Errc::unavailable), exit_no_answer);
  EXPECT_EQ(exit_code(Errc::timed_out), exit_no_answer);
}

TEST(Client, UnknownStackNamesTheNearestAndAll) {
  EXPECT_EQ(
      unknown_stack("shpo", json(R"({"stacks": [{"name": "blog"}, {"name": "shop"}]})")).text(),
      "there is no stack \"shpo\" (did you mean \"shop\"?); there are: blog, shop");
  EXPECT_EQ(unknown_stack("x", json(R"({"stacks": []})")).text(),
            "there is no stack \"x\"; no stack is configured: each has a file stacks.d/NAME.yaml");
}

TEST(Client, StackNamesCannotLeaveTheirPlaceInThePath) {
  EXPECT_EQ(stack_target("shop", "/plan"), "/v1/stacks/shop/plan");
  EXPECT_EQ(stack_target("../x?y#z"), "/v1/stacks/..%2Fx%3Fy%23z");
}

std::variant<Options, int> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "trimtab");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  auto options = parse_options(static_cast<int>(arguments.size()), arguments.data());
  testing::internal::GetCapturedStdout();
  testing::internal::GetCapturedStderr();
  return options;
}

TEST(CommandLine, WrongUseExitsWithTwo) {
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"stauts"},
      {"plan"},
      {"deploy"},
      {"show", "shop"},
      {"show", "shop", "x"},
      {"show", "shop", "0"},
      {"rollback", "shop", "-1"},
      {"deploy", "shop", "--commit", "HEAD"},
      {"deploy", "shop", "--commit", "abc"},
      {"logs", "shop", "--tail", "1000000"},
      {"status", "--bogus"},
      {"pause"},
  };
  for (const auto& arguments : wrong) {
    const auto options = parse(arguments);
    ASSERT_TRUE(std::holds_alternative<int>(options)) << testing::PrintToString(arguments.size());
    EXPECT_EQ(std::get<int>(options), exit_usage);
  }
  EXPECT_EQ(std::get<int>(parse({"--help"})), exit_done);
  EXPECT_EQ(std::get<int>(parse({"--version"})), exit_done);
  EXPECT_EQ(std::get<int>(parse({"deploy", "--help"})), exit_done);
}

TEST(CommandLine, TellsItsVersion) {
  const std::array arguments{"trimtab", "--version"};
  testing::internal::CaptureStdout();
  const auto options = parse_options(2, arguments.data());
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "trimtab " TRIMTAB_VERSION "\n");
  EXPECT_EQ(std::get<int>(options), exit_done);
}

TEST(CommandLine, OptionsReachTheirCommand) {
  auto options = std::get<Options>(parse({"deploy", "shop", "--commit", "c0ffee1", "--wait"}));
  EXPECT_EQ(options.action, Action::deploy);
  EXPECT_EQ(options.stack, "shop");
  EXPECT_EQ(options.commit, "c0ffee1");
  EXPECT_TRUE(options.wait);

  options = std::get<Options>(parse({"logs", "shop", "web", "db", "-f", "--tail", "5"}));
  EXPECT_EQ(options.action, Action::logs);
  EXPECT_EQ(options.services, (std::vector<std::string>{"web", "db"}));
  EXPECT_TRUE(options.follow);
  EXPECT_EQ(options.tail, 5);

  options = std::get<Options>(parse({"rollback", "shop", "41"}));
  EXPECT_EQ(options.action, Action::rollback);
  EXPECT_EQ(options.release, 41);

  // The socket may be named before or after the command, or by the environment.
  EXPECT_EQ(std::get<Options>(parse({"--socket", "/x", "status"})).socket, "/x");
  EXPECT_EQ(std::get<Options>(parse({"status", "--socket", "/x"})).socket, "/x");
  EXPECT_EQ(std::get<Options>(parse({"status"})).socket, "/run/trimtab/trimtab.sock");
  ::setenv("TRIMTAB_SOCKET", "/y", 1);
  EXPECT_EQ(std::get<Options>(parse({"status"})).socket, "/y");
  EXPECT_EQ(std::get<Options>(parse({"status", "--socket", "/x"})).socket, "/x");
  ::unsetenv("TRIMTAB_SOCKET");
}

}  // namespace
}  // namespace trimtab::cli
