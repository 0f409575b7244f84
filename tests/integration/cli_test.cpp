// The command against a socket that answers as scripted: what a healthy daemon would not show in
// time, such as its own restart in the middle of a deploy.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "common/http_server.hpp"
#include "common/json.hpp"

namespace trimtab::cli {
namespace {

using namespace std::chrono_literals;

// Serves on a thread of its own. Each route has answers; the last one is repeated.
class ScriptedDaemon {
 public:
  struct Answer {
    int status = 200;
    std::string body;
    std::string type = "application/json";
    bool stream = false;  // as a chunked body that ends
  };
  using Script = std::map<std::string, std::vector<Answer>>;

  ScriptedDaemon(const std::string& path, Script script) : script_(std::move(script)) {
    auto listener = http::listen_unix(path, 0600, "");
    EXPECT_TRUE(listener) << listener.error().text();
    server_ = std::make_unique<http::Server>(
        loop_.get_executor(), std::move(*listener), http::ServerLimits{},
        [](const http::Peer&) { return true; },
        [this](http::Request request, http::Peer) { return answer(std::move(request)); });
    asio::co_spawn(loop_, server_->run(), asio::detached);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ScriptedDaemon(const ScriptedDaemon&) = delete;
  ScriptedDaemon& operator=(const ScriptedDaemon&) = delete;
  ~ScriptedDaemon() {
    asio::post(loop_, [this] { server_->stop(); });
    thread_.join();
  }

  // Whether the route ("GET /v1/status") has been asked for so often, within 10 s.
  bool wait_for(const std::string& route, int times) {
    std::unique_lock lock(mutex_);
    return asked_changed_.wait_for(lock, 10s, [&] { return asked_[route] >= times; });
  }
  // The bodies that came with requests for a route.
  std::vector<std::string> bodies(const std::string& route) {
    const std::lock_guard lock(mutex_);
    return bodies_[route];
  }

 private:
  Task<http::Reply> answer(http::Request request) {
    const std::string route = request.method + " " + request.target;
    http::Reply reply;
    const std::lock_guard lock(mutex_);
    const int count = ++asked_[route];
    bodies_[route].push_back(request.body);
    asked_changed_.notify_all();
    const auto found = script_.find(route);
    if (found == script_.end()) {
      reply.response = http::problem(404, "nothing at " + route);
      co_return reply;
    }
    const auto& answers = found->second;
    const Answer& next =
        answers[std::min<std::size_t>(static_cast<std::size_t>(count), answers.size()) - 1];
    reply.response.status = next.status;
    reply.response.headers.emplace_back("Content-Type", next.type);
    if (next.stream) {
      reply.streamer = [text = next.body](http::Stream& stream) { return write(stream, text); };
    } else {
      reply.response.body = next.body;
    }
    co_return reply;
  }
  static Task<void> write(http::Stream& stream, std::string text) { co_await stream.write(text); }

  Script script_;
  asio::io_context loop_{1};
  std::unique_ptr<http::Server> server_;
  std::mutex mutex_;
  std::condition_variable asked_changed_;
  std::map<std::string, int> asked_;
  std::map<std::string, std::vector<std::string>> bodies_;
  std::thread thread_;
};

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

class Cli : public testing::Test {
 protected:
  Cli() {
    std::string name = testing::TempDir() + "trimtab-cli-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    options_.socket = folder_ + "/s";
    options_.stack = "shop";
  }
  ~Cli() override { std::filesystem::remove_all(folder_); }

  Outcome run_command() {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.code = run(options_);
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }
  void deploy_and_wait() {
    options_.action = Action::deploy;
    options_.wait = true;
  }

  std::string folder_;
  Options options_;
};

std::string stack_text(const std::string& state, const std::string& deployment,
                       const std::string& request) {
  return R"({"name":"shop","release":43,"commit":"3f2c1ab0","ref":"main","healthy":1,"services":1,)"
         R"("reason":"","state":")" +
         state + R"(","deployment":)" + deployment + R"(,"last_request":)" + request + "}";
}

std::string request_text(const std::string& id, const std::string& outcome,
                         const std::string& release, const std::string& message = {}) {
  return R"({"id":")" + id + R"(","outcome":")" + outcome + R"(","release":)" + release +
         R"(,"message":")" + message + R"("})";
}

std::string release_text(const std::string& outcome, const std::string& phases) {
  return R"({"number":44,"commit":"c0ffee1000","subject":"Refactor settings","outcome":")" +
         outcome +
         R"(","plan":[{"service":"backend","action":"recreate","risk":"restart",)"
         R"("reasons":[]}],"failure":null,"timeline":[)" +
         phases + "]}";
}

const std::string pulling_json = R"({"phase":"pulling","started_at":"","seconds":2})";
const std::string gating_json = R"({"phase":"gating","started_at":"","seconds":3})";
const std::string committing_json = R"({"phase":"committing","started_at":"","seconds":0})";
const std::string attempt_json =
    R"({"release":44,"phase":"gating","phase_started_at":"","services":[]})";
const std::string stack_route = "GET /v1/stacks/shop";
const std::string release_route = "GET /v1/stacks/shop/releases/44";
const std::string deploy_route = "POST /v1/stacks/shop/deploy";
const std::string events_route = "GET /v1/events?stack=shop";
const ScriptedDaemon::Answer accepted{202, R"({"request":"r1"})"};
// A stream that breaks off at once, each time.
const ScriptedDaemon::Answer broken_events{200, ": connected\n\n", "text/event-stream", true};

TEST_F(Cli, DeployIsFollowedToItsEndThoughTheEventsBreakOff) {
  ScriptedDaemon daemon(
      options_.socket,
      {{deploy_route, {accepted}},
       {events_route, {broken_events}},
       {stack_route,
        {{200, stack_text("synced", "null", request_text("r1", "in_progress", "null"))},
         {200, stack_text("deploying", attempt_json, request_text("r1", "in_progress", "44"))},
         {200, stack_text("synced", "null", request_text("r1", "done", "44"))}}},
       {release_route,
        {{200, release_text("in_progress", pulling_json + "," + gating_json)},
         {200, release_text("good", pulling_json + "," + gating_json + "," + committing_json)}}}});
  deploy_and_wait();
  options_.commit = "c0ffee1";
  const Outcome outcome = run_command();
  EXPECT_EQ(outcome.code, exit_done) << outcome.err;
  EXPECT_EQ(outcome.out,
            "  polling    Git and the registry\n"
            "shop: release 44 (c0ffee1 \"Refactor settings\")\n"
            "  pulled     all images are here\n"
            "  gating: release 44\n"
            "  healthy    after 3 s\n"
            "shop: release 44 runs\n");
  EXPECT_EQ(daemon.bodies(deploy_route), std::vector<std::string>{R"({"commit":"c0ffee1"})"});
}

TEST_F(Cli, ExitCodesTellHowADeployEnded) {
  struct Case {
    std::string outcome;
    int code;
  };
  for (const Case& c : std::vector<Case>{{"done", exit_done},
                                         {"nothing_to_do", exit_done},
                                         {"rejected", exit_rejected},
                                         {"rolled_back", exit_rejected},
                                         {"failed", exit_failed},
                                         {"superseded", exit_failed}}) {
    ScriptedDaemon daemon(
        options_.socket,
        {{deploy_route, {accepted}},
         {events_route, {broken_events}},
         {stack_route,
          {{200, stack_text("synced", "null", request_text("r1", c.outcome, "null"))}}}});
    deploy_and_wait();
    EXPECT_EQ(run_command().code, c.code) << c.outcome;
  }
}

TEST_F(Cli, ADaemonThatRestartsInTheMiddleIsWaitedForAndTheReleaseTellsTheEnd) {
  auto before = std::make_unique<ScriptedDaemon>(
      options_.socket,
      ScriptedDaemon::Script{
          {deploy_route, {accepted}},
          {events_route, {broken_events}},
          {stack_route,
           {{200, stack_text("deploying", attempt_json, request_text("r1", "in_progress", "44"))}}},
          {release_route, {{200, release_text("in_progress", pulling_json)}}}});
  deploy_and_wait();
  Outcome outcome;
  std::thread command([&] { outcome = run_command(); });
  EXPECT_TRUE(before->wait_for(release_route, 2));
  before.reset();
  // It knows nothing of the request any more.
  ScriptedDaemon after(options_.socket,
                       {{events_route, {broken_events}},
                        {stack_route, {{200, stack_text("failed", "null", "null")}}},
                        {release_route, {{200, release_text("rolled_back", pulling_json)}}}});
  command.join();
  EXPECT_EQ(outcome.code, exit_rejected) << outcome.out << outcome.err;
}

TEST_F(Cli, AnEventEndsARequestThatAnotherOneHasReplaced) {
  const std::string event =
      "event: finished\ndata: " +
      std::string(R"({"request":"r1","outcome":"nothing_to_do","message":"m"})") + "\n\n";
  ScriptedDaemon daemon(
      options_.socket,
      {{deploy_route, {accepted}},
       {events_route, {{200, event, "text/event-stream", true}}},
       {stack_route, {{200, stack_text("synced", "null", request_text("r2", "done", "null"))}}}});
  deploy_and_wait();
  const Outcome outcome = run_command();
  EXPECT_EQ(outcome.code, exit_done) << outcome.err;
  EXPECT_TRUE(outcome.out.ends_with("shop: nothing to do: m\n")) << outcome.out;
}

TEST_F(Cli, NoDaemonIsExitCodeThree) {
  const Outcome outcome = run_command();
  EXPECT_EQ(outcome.code, exit_no_answer);
  EXPECT_TRUE(outcome.err.starts_with("trimtab: trimtabd does not answer at " + options_.socket))
      << outcome.err;
  EXPECT_NE(outcome.err.find("is it running? (systemctl status trimtabd)"), std::string::npos);
}

TEST_F(Cli, NoPermissionSaysWhichGroupToJoin) {
  ScriptedDaemon daemon(options_.socket, {});
  ASSERT_EQ(::chmod(options_.socket.c_str(), 0), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0711), 0);
  constexpr uid_t nobody = 65534;
  const bool root = ::geteuid() == 0;
  ASSERT_TRUE(!root || ::seteuid(nobody) == 0);
  options_.action = Action::status;
  const int code = run(options_);
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
  EXPECT_EQ(code, exit_no_answer);
}

TEST_F(Cli, UnknownStackIsNamedWithTheNearest) {
  ScriptedDaemon daemon(options_.socket,
                        {{"GET /v1/status", {{200, R"({"stacks":[{"name":"shop"}]})"}}}});
  options_.stack = "shpo";
  for (const Action action : {Action::status, Action::plan, Action::history, Action::pause,
                              Action::deploy, Action::logs}) {
    options_.action = action;
    const Outcome outcome = run_command();
    EXPECT_EQ(outcome.code, exit_usage);
    EXPECT_EQ(outcome.err,
              "trimtab: there is no stack \"shpo\" (did you mean \"shop\"?); there are: shop\n");
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(Cli, LogsArePassedOnByteForByteWhereNoTerminalShowsThem) {
  const std::string text = "backend | \x1b[31mred\x1b[0m \xff\nbackend | no newline at the end";
  ScriptedDaemon daemon(options_.socket,
                        {{"GET /v1/stacks/shop/logs?tail=7&follow=true&service=web%201&service=db",
                          {{200, text, "text/plain", true}}}});
  options_.action = Action::logs;
  options_.services = {"web 1", "db"};
  options_.tail = 7;
  options_.follow = true;
  const Outcome outcome = run_command();
  EXPECT_EQ(outcome.code, exit_done) << outcome.err;
  EXPECT_EQ(outcome.out, text);
}

TEST_F(Cli, EventsAreLinesOrJson) {
  const std::string stream =
      "event: pull\ndata: {\"message\":\"1 MB\"}\n\n"
      "event: phase\ndata: "
      "{\"at\":\"2026-11-23T11:59:59.123Z\",\"stack\":\"shop\",\"message\":\"m\"}\n\n";
  ScriptedDaemon daemon(options_.socket, {{"GET /v1/events?recent=100&follow=false&stack=shop",
                                           {{200, stream, "text/event-stream", true}}}});
  options_.action = Action::events;
  EXPECT_EQ(run_command().out, "2026-11-23T11:59:59Z shop: m\n");
  options_.json = true;
  EXPECT_EQ(run_command().out,
            "{\"message\":\"1 MB\"}\n"
            "{\"at\":\"2026-11-23T11:59:59.123Z\",\"stack\":\"shop\",\"message\":\"m\"}\n");
}

TEST_F(Cli, JsonIsWhatTheDaemonSays) {
  const std::string body = R"({"name":"shop","new_member":[1,2]})";
  ScriptedDaemon daemon(options_.socket, {{stack_route, {{200, body}}}});
  options_.action = Action::status;
  options_.json = true;
  const Outcome outcome = run_command();
  const auto printed = parse_json(outcome.out);
  ASSERT_TRUE(printed);
  EXPECT_EQ(dump_json(*printed), body);
}

TEST_F(Cli, CheckNeedsNoDaemon) {
  options_.action = Action::check;
  options_.config_dir = folder_;
  std::filesystem::create_directory(folder_ + "/stacks.d");
  const std::string file = folder_ + "/stacks.d/shop.yaml";
  std::ofstream(file) << "git:\n  url: https://git.example.com/acme/shop.git\n";
  Outcome outcome = run_command();
  EXPECT_EQ(outcome.out, "ok: 1 stack\n");
  EXPECT_EQ(outcome.code, exit_done);

  std::ofstream(file) << "git:\n  url: https://git.example.com/acme/shop.git\n  intervall: 30s\n";
  outcome = run_command();
  EXPECT_EQ(outcome.out, file + ":3:3: unknown key \"intervall\" (did you mean \"interval\"?)\n");
  EXPECT_EQ(outcome.code, exit_usage);

  options_.json = true;
  const auto printed = parse_json(run_command().out);
  ASSERT_TRUE(printed);
  EXPECT_EQ(json_int(json_array(*printed, "findings").at(0), "line"), 3);
}

}  // namespace
}  // namespace trimtab::cli
