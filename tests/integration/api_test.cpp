// The status socket under clients that ask, follow and hang up at random, on each of its routes,
// also while the daemon stops. Docker is a server of the test's own; all else is what the daemon
// has. What it finds are uses of freed memory, so that it says most under AddressSanitizer.
#include "agent/api/api.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "agent/compose/compose_program.hpp"
#include "agent/docker/docker_engine.hpp"
#include "agent/git/git_program.hpp"
#include "agent/registry/registry_client.hpp"
#include "common/json.hpp"
#include "common/text.hpp"
#include "tests/lib/git_servers.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  // From 0 to `highest`, which is possible too.
  int up_to(int highest) { return std::uniform_int_distribution<int>(0, highest)(engine_); }
  bool one_in(int count) { return up_to(count - 1) == 0; }

 private:
  std::mt19937 engine_;
};

// --- the Engine

const std::vector<std::string> services{"api", "db", "web"};

// As Compose has made it from a file in `directory`.
Json container_json(const std::string& service, const fs::path& directory) {
  Json labels;
  labels["com.docker.compose.oneoff"] = "False";
  labels["com.docker.compose.project.working_dir"] = directory.string();
  labels["com.docker.compose.project"] = "shop";
  labels["com.docker.compose.service"] = service;
  Json container;
  container["Id"] = service + "-id";
  container["Name"] = "/shop-" + service + "-1";
  container["Labels"] = labels;
  container["Config"]["Labels"] = labels;
  container["State"]["Status"] = "running";
  return container;
}

std::string framed(const std::string& line) {
  std::string frame("\1\0\0\0\0\0\0\0", 8);
  frame[6] = static_cast<char>(line.size() / 256);
  frame[7] = static_cast<char>(line.size() % 256);
  return frame + line;
}

Task<void> write_log(http::Stream* stream, bool follow, Dice* dice) {
  for (int i = 0; follow || i < 20; ++i) {
    std::string text;
    const int lines = dice->one_in(20) ? 500 : 1;
    for (int line = 0; line < lines; ++line) text += framed("one line of a log\n");
    const bool open = co_await stream->write(std::move(text));
    if (!open) co_return;
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(dice->up_to(2)));
    if (!slept) co_return;
  }
}

Task<void> write_events(http::Stream* stream, Dice* dice) {
  for (;;) {
    Json event;
    event["Type"] = "container";
    event["Action"] = "restart";
    event["Actor"]["ID"] = "web-id";
    event["Actor"]["Attributes"]["com.docker.compose.project"] = "shop";
    event["Actor"]["Attributes"]["com.docker.compose.service"] = "web";
    std::string line = dump_json(event) + "\n";
    const bool open = co_await stream->write(std::move(line));
    if (!open) co_return;
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(5 + dice->up_to(20)));
    if (!slept) co_return;
  }
}

Task<http::Reply> answer_as_engine(http::Request request, fs::path directory, Dice* dice) {
  http::Reply reply;
  const std::string target = request.target.substr(0, request.target.find('?'));
  Json body = Json::object();
  if (target == "/version") {
    body["Version"] = "28.0.0";
    body["ApiVersion"] = "1.47";
  } else if (target.ends_with("/info")) {
    body["ServerVersion"] = "28.0.0";
  } else if (target.ends_with("/containers/json")) {
    body = Json::array();
    for (const std::string& service : services) body.push_back(container_json(service, directory));
  } else if (target.ends_with("-id/json")) {
    const std::size_t at = target.find("/containers/") + 12;
    body = container_json(target.substr(at, target.size() - at - 8), directory);
  } else if (target.ends_with("/logs")) {
    const bool follow = request.target.find("follow=1") != std::string::npos;
    reply.streamer = [follow, dice](http::Stream& stream) {
      return write_log(&stream, follow, dice);
    };
  } else if (target.ends_with("/events")) {
    reply.streamer = [dice](http::Stream& stream) { return write_events(&stream, dice); };
  } else {
    reply.response.status = 404;
    body["message"] = "no such thing";
  }
  if (reply.response.status == 0) reply.response.status = 200;
  if (!reply.streamer) reply.response.body = dump_json(body);
  co_return reply;
}

std::unique_ptr<http::Server> serve(asio::io_context& loop, const fs::path& path,
                                    http::Handler handler) {
  Result<UniqueFd> listener = http::listen_unix(path.string(), 0600, "");
  if (!listener) throw std::runtime_error(listener.error().text());
  http::ServerLimits limits;
  limits.connections = 1000;
  return std::make_unique<http::Server>(
      loop.get_executor(), std::move(*listener), limits, [](const http::Peer&) { return true; },
      std::move(handler));
}

// --- clients

struct Route {
  std::string request;  // its first line, without the version
  std::string body;
};

const std::vector<Route> routes{
    {"GET /healthz", ""},
    {"GET /nowhere", ""},
    {"GET /v1/status", ""},
    {"GET /v1/events", ""},
    {"GET /v1/events?follow=false&recent=20", ""},
    {"GET /v1/events?stack=shop&recent=1000", ""},
    {"GET /v1/stacks/shop", ""},
    {"GET /v1/stacks/blog", ""},
    {"GET /v1/stacks/blog/logs", ""},
    {"GET /v1/stacks/shop/releases", ""},
    {"GET /v1/stacks/shop/releases/1", ""},
    {"GET /v1/stacks/shop/plan", ""},
    {"GET /v1/stacks/shop/logs?tail=20", ""},
    {"GET /v1/stacks/shop/logs?follow=true", ""},
    {"GET /v1/stacks/shop/logs?follow=true&service=web&tail=0", ""},
    {"HEAD /v1/stacks/shop/logs?follow=true", ""},
    {"POST /v1/stacks/shop/check", ""},
    {"POST /v1/stacks/shop/deploy", "{}"},
    {"POST /v1/stacks/shop/rollback", R"({"release": 1})"},
    {"POST /v1/stacks/shop/pause", R"({"reason": "a test"})"},
    {"POST /v1/stacks/shop/resume", ""},
};

// How a client behaves: decided before it connects.
struct Visit {
  std::size_t route = 0;
  std::size_t sent = std::string::npos;      // bytes of the request; the rest never comes
  std::size_t expected = std::string::npos;  // bytes of the answer, then it hangs up
  SteadyClock::duration timeout{};           // then it hangs up too
};

Visit roll_visit(Dice& dice) {
  Visit visit;
  visit.route = static_cast<std::size_t>(dice.up_to(static_cast<int>(routes.size()) - 1));
  if (dice.one_in(10)) visit.sent = static_cast<std::size_t>(dice.up_to(40));
  if (dice.one_in(3)) visit.expected = static_cast<std::size_t>(dice.up_to(2000));
  visit.timeout = std::chrono::milliseconds(dice.one_in(3) ? dice.up_to(2) : dice.up_to(60));
  return visit;
}

std::string wire_of(const Route& route) {
  return route.request +
         " HTTP/1.1\r\nHost: trimtab\r\nContent-Length: " + std::to_string(route.body.size()) +
         "\r\n\r\n" + route.body;
}

using Socket = asio::local::stream_protocol::socket;

Task<Result<void>> converse(Socket* socket, const Visit* visit, std::string* seen) {
  const std::string wire = wire_of(routes[visit->route]).substr(0, visit->sent);
  boost::system::error_code ec;
  co_await asio::async_write(*socket, asio::buffer(wire),
                             asio::redirect_error(asio::use_awaitable, ec));
  std::array<char, 1024> piece{};
  while (!ec && seen->size() < visit->expected) {
    const std::size_t got = co_await socket->async_read_some(
        asio::buffer(piece), asio::redirect_error(asio::use_awaitable, ec));
    seen->append(piece.data(), got);
  }
  co_return Result<void>();
}

// Status codes by request, and how many clients were sent lines of a log.
struct Seen {
  std::map<std::string, std::set<std::string>> statuses;
  int log_lines = 0;
};

Task<void> visit(fs::path path, Visit visit, Seen* seen) {
  const auto executor = co_await asio::this_coro::executor;
  Socket socket(executor);
  boost::system::error_code ec;
  socket.connect(path.string(), ec);
  if (ec) co_return;  // the daemon has stopped
  std::string answer;
  auto conversation = converse(&socket, &visit, &answer);
  const auto deadline = SteadyClock::now() + visit.timeout;
  const auto ended = co_await with_deadline(deadline, "the visit", std::move(conversation));
  static_cast<void>(ended);
  if (answer.size() >= 12) {
    seen->statuses[routes[visit.route].request].insert(answer.substr(9, 3));
  }
  if (answer.find(" | one line of a log") != std::string::npos) ++seen->log_lines;
}

// --- the daemon, as far as its socket goes

// A Compose that says its version and can do nothing.
void install_compose(const fs::path& programs) {
  fs::create_directories(programs);
  std::ofstream(programs / "docker") << "#!/bin/sh\nfor word; do [ \"$word\" != version ] || "
                                        "{ echo 2.40.0; exit; }; done\nexit 1\n";
  fs::permissions(programs / "docker", fs::perms::owner_all);
  ::setenv("PATH", (programs.string() + ":" + std::getenv("PATH")).c_str(), 1);
}

class Daemon {
 public:
  Daemon(const fs::path& folder, const std::string& url, Dice& dice)
      : socket_(folder / "api.sock"),
        docker_(std::make_unique<DockerEngine>((folder / "docker.sock").string())),
        registry_(RegistryClientOptions{folder / "none", folder / "none", {}, {}}),
        compose_((folder / "docker.sock").string(), folder / "empty"),
        deploy_lock_(loop_.get_executor()),
        engine_(
            loop_.get_executor(), *docker_,
            [this](const EngineEvent& event) { stacks_.at("shop")->on_engine_event(event); },
            [this] { stacks_.at("shop")->on_engine_change(); },
            [this] { stacks_.at("shop")->on_engine_change(); }),
        api_(loop_.get_executor(), stacks_, unavailable_, *docker_, engine_, compose_, events_,
             problems_, webhook_, [this] { return stalled_; }),
        tasks_(loop_.get_executor()),
        clients_(loop_.get_executor()) {
    install_compose(folder / "bin");
    docker_server_ =
        serve(loop_, folder / "docker.sock", [&dice, folder](http::Request request, http::Peer) {
          return answer_as_engine(std::move(request), folder / "shop", &dice);
        });
    server_ = serve(loop_, socket_, [this](http::Request request, http::Peer peer) {
      return api_.handle(std::move(request), peer);
    });
    StackSettings settings;
    settings.name = "shop";
    settings.unit = "shop.service";
    settings.directory = folder / "shop";
    settings.git.url = url;
    settings.git.ref = "production";
    settings.git.interval = 20ms;
    Result<Store> store = Store::open(loop_.get_executor(), folder / "state" / "shop");
    if (!store) throw std::runtime_error(store.error().text());
    GitAccess access;
    access.url = url;
    auto git = std::make_unique<GitProgram>(
        access, settings.git.ref, Workspace::repository_in(store->directory()), store->directory());
    ReconcilerDeps parts{loop_.get_executor(),
                         settings,
                         std::move(git),
                         registry_,
                         *docker_,
                         engine_,
                         compose_,
                         nullptr,
                         {},
                         std::move(*store),
                         events_,
                         deploy_lock_,
                         projects_};
    StackSettings blog;
    blog.name = "blog";
    unavailable_["blog"] = {blog, Error{Errc::failed, "its directory is broken", {}},
                            "tried again"};
    auto stack = std::make_shared<Reconciler>(std::move(parts));
    stacks_["shop"] = stack;
    tasks_.spawn("Docker's server", docker_server_->run());
    tasks_.spawn("status socket", server_->run());
    tasks_.spawn("Docker's events", engine_.run());
    tasks_.spawn("shop", stack->run());
    tasks_.spawn("shop: git", stack->watch_git());
  }

  asio::io_context& loop() { return loop_; }
  [[nodiscard]] bool is_ready() const {
    return !stacks_.at("shop")->observation().own.containers.empty();
  }
  void stall(std::string part) { stalled_ = std::move(part); }
  void enter(const Visit& next, Seen& seen) {
    clients_.spawn("client", visit(socket_, next, &seen));
  }
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }

  // As the daemon does.
  Task<void> stop() {
    server_->stop();
    stacks_.at("shop")->request_stop();
    while (!stacks_.at("shop")->may_be_interrupted()) {
      const Result<void> slept = co_await sleep_for(1ms);
      if (!slept) co_return;
    }
    tasks_.cancel();
    co_await server_->idle();
    docker_server_->stop();
    co_await docker_server_->idle();
    co_await tasks_.idle();
    co_await clients_.idle();
    registry_.close();
  }

 private:
  asio::io_context loop_;
  fs::path socket_;
  std::unique_ptr<DockerEngine> docker_;
  RegistryClient registry_;
  ComposeProgram compose_;
  EventBus events_;
  AsyncMutex deploy_lock_;
  Projects projects_;
  Api::Stacks stacks_;
  UnavailableStacks unavailable_;
  EngineWatcher engine_;
  std::vector<std::string> problems_;
  std::unique_ptr<Webhook> webhook_;
  std::string stalled_;
  Api api_;
  std::unique_ptr<http::Server> docker_server_;
  std::unique_ptr<http::Server> server_;
  TaskGroup tasks_;
  TaskGroup clients_;
};

enum class Stop { while_clients_are_there, once_a_log_was_read, after_the_last_client };

Task<bool> live(Daemon* daemon, std::vector<Visit> visits, Stop stop, Dice* dice, Seen* seen) {
  constexpr std::size_t max_clients = 40;
  while (!daemon->is_ready()) {
    const Result<void> slept = co_await sleep_for(1ms);
    if (!slept) co_return false;
  }
  const int lines_before = seen->log_lines;
  for (const Visit& next : visits) {
    daemon->enter(next, *seen);
    while (daemon->clients() >= max_clients || dice->one_in(2)) {
      const Result<void> slept = co_await sleep_for(1ms);
      if (!slept) co_return false;
    }
  }
  while ((stop == Stop::after_the_last_client && daemon->clients() > 0) ||
         (stop == Stop::once_a_log_was_read && seen->log_lines == lines_before)) {
    const Result<void> slept = co_await sleep_for(1ms);
    if (!slept) co_return false;
  }
  co_await daemon->stop();
  co_return true;
}

class StatusSocket : public testing::Test {
 protected:
  StatusSocket() {
    test::put(developer_ / "compose.yaml", "services:\n  web: {image: acme/web:1}\n");
    developer_.push("the first");
    test::put(folder_ / "empty", "");
  }
  void live_once(unsigned seed, const std::vector<Visit>& visits, Stop stop) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    Daemon daemon(folder_.path(), developer_.bare().string(), dice);
    daemon.stall(stalled_);
    EXPECT_TRUE(test::await(daemon.loop(), live(&daemon, visits, stop, &dice, &seen_)));
  }
  // The visits that one life has, followers among them when it ends.
  static std::vector<Visit> roll_visits(unsigned seed) {
    Dice dice(seed);
    std::vector<Visit> visits;
    for (int i = 0; i < 150; ++i) visits.push_back(roll_visit(dice));
    return visits;
  }

  test::TemporaryFolder folder_;
  test::Developer developer_{folder_ / "work", folder_ / "shop.git"};
  std::string stalled_;
  Seen seen_;
};

std::size_t number_of(const std::string& request) {
  const auto found = std::find_if(routes.begin(), routes.end(),
                                  [&](const Route& route) { return route.request == request; });
  return static_cast<std::size_t>(found - routes.begin());
}

TEST_F(StatusSocket, AFollowerOfLogsMayHangUp) {
  Visit visit;
  visit.route = number_of("GET /v1/stacks/shop/logs?follow=true");
  visit.expected = 1000;
  visit.timeout = 10s;
  live_once(1, {visit, visit, visit}, Stop::after_the_last_client);
  EXPECT_EQ(seen_.log_lines, 3);
}

TEST_F(StatusSocket, ADaemonWithFollowersMayStop) {
  std::vector<Visit> visits;
  for (const char* request : {"GET /v1/stacks/shop/logs?follow=true", "GET /v1/events"}) {
    Visit visit;
    visit.route = number_of(request);
    visit.timeout = 10s;
    visits.push_back(visit);
  }
  live_once(2, visits, Stop::while_clients_are_there);
}

TEST_F(StatusSocket, HealthIsThatEveryStackGetsOn) {
  Visit visit;
  visit.route = number_of("GET /healthz");
  visit.expected = 12;
  visit.timeout = 10s;
  live_once(4, {visit}, Stop::after_the_last_client);
  EXPECT_EQ(seen_.statuses["GET /healthz"], std::set<std::string>{"200"});
  stalled_ = "shop: its reconciliation";
  live_once(5, {visit}, Stop::after_the_last_client);
  EXPECT_EQ(seen_.statuses["GET /healthz"], (std::set<std::string>{"200", "503"}));
}

TEST_F(StatusSocket, AnswersOnEachRoute) {
  std::vector<Visit> visits;
  for (std::size_t route = 0; route < routes.size(); ++route) {
    Visit visit;
    visit.route = route;
    visit.expected = 12;
    visit.timeout = 20s;
    visits.push_back(visit);
  }
  live_once(3, visits, Stop::after_the_last_client);
  for (const Route& route : routes) {
    EXPECT_EQ(seen_.statuses[route.request].size(), 1U) << route.request;
  }
  const std::set<std::string> ok{"200"};
  EXPECT_EQ(seen_.statuses["GET /v1/stacks/shop/logs?follow=true"], ok);
  EXPECT_EQ(seen_.statuses["GET /v1/events"], ok);
  EXPECT_EQ(seen_.statuses["GET /v1/status"], ok);
  EXPECT_EQ(seen_.statuses["POST /v1/stacks/shop/pause"], std::set<std::string>{"202"});
  EXPECT_EQ(seen_.statuses["GET /nowhere"], std::set<std::string>{"404"});
  EXPECT_EQ(seen_.statuses["GET /v1/stacks/blog"], ok);
  EXPECT_EQ(seen_.statuses["GET /v1/stacks/blog/logs"], std::set<std::string>{"503"});
}

TEST_F(StatusSocket, StandsClientsThatHangUpAtRandom) {
  constexpr int lives = 5;
  for (unsigned seed = 1; seed <= lives; ++seed) {
    std::vector<Visit> visits = roll_visits(seed);
    Visit patient;
    patient.route = number_of("GET /v1/stacks/shop/logs?follow=true");
    patient.expected = 500;
    patient.timeout = 20s;
    visits.push_back(patient);
    live_once(seed, visits, Stop::once_a_log_was_read);
  }
  EXPECT_GE(seen_.log_lines, lives);
}

}  // namespace
}  // namespace trimtab
