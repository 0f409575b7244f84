#include "agent/api/api.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "agent/api/log_stream.hpp"
#include "agent/api/stack_json.hpp"
#include "agent/execute/own_containers.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"
#include "common/number.hpp"
#include "common/standstill.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {
namespace {

constexpr auto keep_alive = std::chrono::seconds(15);
constexpr int default_tail = 100;

http::Reply json_reply(int status, const Json& body) {
  http::Reply reply;
  reply.response.status = status;
  reply.response.headers = {{"Content-Type", "application/json"}};
  reply.response.body = dump_json(body) + "\n";
  return reply;
}

http::Reply problem(int status, const std::string& detail, const std::string& hint = {}) {
  return {http::problem(status, detail, hint), {}};
}

// The only place that maps error codes to HTTP statuses.
http::Reply problem(const Error& error) {
  const int status = [&] {
    switch (error.code) {
      case Errc::invalid:
        return 400;
      case Errc::not_found:
        return 404;
      case Errc::conflict:
        return 409;
      case Errc::unavailable:
      case Errc::timed_out:
      case Errc::cancelled:
      case Errc::denied:
      case Errc::untrusted:
        return 503;
      default:
        return 500;
    }
  }();
  return problem(status, error.message, error.hint);
}

// Path components below a stack.
constexpr std::array<std::string_view, 3> get_routes{"releases", "plan", "logs"};
constexpr std::array<std::string_view, 5> post_routes{"deploy", "rollback", "pause", "resume",
                                                      "check"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::int64_t milliseconds_of(std::chrono::nanoseconds duration) {
  return std::chrono::round<std::chrono::milliseconds>(duration).count();
}

std::string event_text(const AgentEvent& event) {
  return fmt::format("event: {}\ndata: {}\n\n", event.type, event.data);
}

}  // namespace

struct Api::Route {
  std::string method;
  std::vector<std::string> path;  // without the version prefix
  std::vector<std::pair<std::string, std::string>> query;
  Json body;

  [[nodiscard]] std::string parameter(const std::string& name, std::string fallback) const {
    for (const auto& [key, value] : query) {
      if (key == name) return value;
    }
    return fallback;
  }
};

Api::Api(asio::any_io_executor executor, Stacks& stacks, const UnavailableStacks& unavailable,
         Docker& docker, const EngineWatcher& engine, const Compose& compose, EventBus& events,
         const std::vector<std::string>& problems, const std::unique_ptr<Webhook>& webhook,
         FindStalled find_stalled)
    : executor_(std::move(executor)),
      stacks_(stacks),
      unavailable_(unavailable),
      docker_(docker),
      engine_(engine),
      compose_(compose),
      events_(events),
      problems_(problems),
      webhook_(webhook),
      find_stalled_(std::move(find_stalled)) {}

Task<http::Reply> Api::handle(http::Request request, http::Peer peer) {
  Route route;
  route.method = request.method;
  auto target = http::parse_target(request.target, http::Plus::is_space);
  if (!target) co_return problem(400, "the path or the query is malformed");
  route.path = std::move(target->path);
  route.query = std::move(target->query);
  if (!request.body.empty()) {
    Result<Json> body = parse_json(request.body);
    if (!body || !body->is_object()) {
      co_return problem(400, "the body is not a JSON object");
    }
    route.body = std::move(*body);
  }
  const bool get = route.method == "GET" || route.method == "HEAD";
  if (!get) {
    spdlog::info("{} {} asked for by uid {}, process {}", route.method, request.target, peer.uid,
                 peer.pid);
  }
  const std::vector<std::string>& path = route.path;
  const bool healthz = path.size() == 1 && path[0] == "healthz";
  const bool versioned = path.size() >= 2 && path[0] == "v1";
  const bool stack = versioned && path[1] == "stacks" && path.size() >= 3;
  const bool listed = versioned && path.size() == 2 && (path[1] == "status" || path[1] == "events");
  if (!healthz && !stack && !listed) {
    co_return problem(404, "there is no " + printable(request.target),
                      "config/openapi.yaml describes the API");
  }
  if (stack) co_return co_await stack_route(std::move(route));
  if (!get) co_return problem(405, "only GET is allowed here");
  if (healthz) co_return health();
  if (path[1] == "events") co_return events(route);
  co_return status();
}

http::Reply Api::health() const {
  const std::string stalled = find_stalled_();
  if (!stalled.empty()) {
    return problem(503, stalled + " is stalled",
                   "`journalctl -u trimtabd` shows its last steps; `systemctl restart trimtabd` "
                   "restarts it and resumes the deployment");
  }
  http::Reply reply;
  reply.response.status = 200;
  reply.response.headers = {{"Content-Type", "text/plain"}};
  reply.response.body = "ok\n";
  return reply;
}

http::Reply Api::status() const {
  Json body;
  body["version"] = TRIMTAB_VERSION;
  const ComposeTool& compose = compose_.tool();
  // Empty for a moment after the start, until Compose has been detected.
  body["compose"] = compose.version.empty() ? std::string() : compose.display();
  body["problems"] = Json::array();
  for (const std::string& problem : problems_) body["problems"].push_back(problem);
  if (compose_.problem()) body["problems"].push_back("Compose: " + compose_.problem()->text());
  body["webhook"] = nullptr;
  if (webhook_) {
    const std::string error = webhook_->error();
    if (!error.empty()) body["problems"].push_back("webhook: " + error);
    body["webhook"] = Json::object();
    body["webhook"]["address"] = webhook_->settings().listen;
    body["webhook"]["error"] = error;
    const std::optional<WallTime> called_at = webhook_->called_at();
    body["webhook"]["called_at"] = called_at ? Json(format_time(*called_at)) : Json(nullptr);
  }
  body["docker"]["version"] = engine_.engine() ? engine_.engine()->version : std::string();
  body["docker"]["api_version"] = engine_.engine() ? engine_.engine()->api_version : std::string();
  body["docker"]["error"] = engine_.error() ? engine_.error()->text() : std::string();
  const Standstill loop = standstill();
  body["standstill"]["longest_ms"] = milliseconds_of(loop.longest);
  body["standstill"]["lately_ms"] = milliseconds_of(loop.lately);
  body["stacks"] = Json::array();
  std::map<std::string, Json> stacks;
  for (const auto& [name, stack] : stacks_) stacks[name] = stack_json(*stack);
  for (const auto& [name, stack] : unavailable_) stacks[name] = stack_json(stack);
  for (auto& [name, stack] : stacks) body["stacks"].push_back(std::move(stack));
  return json_reply(200, body);
}

Task<http::Reply> Api::stack_route(Route route) {
  const std::string& name = route.path[2];
  const auto unavailable = unavailable_.find(name);
  if (unavailable != unavailable_.end()) {
    const bool get = route.method == "GET" || route.method == "HEAD";
    if (get && route.path.size() == 3) co_return json_reply(200, stack_json(unavailable->second));
    const Error& error = unavailable->second.error;
    co_return problem(503, name + ": " + error.message, error.hint);
  }
  const auto found = stacks_.find(name);
  if (found == stacks_.end()) {
    std::vector<std::string> known;
    for (const auto& [other, stack] : stacks_) known.push_back(other);
    for (const auto& [other, stack] : unavailable_) known.push_back(other);
    const std::optional<std::string> close = nearest(name, known);
    co_return problem(404, "there is no stack " + printable(name),
                      close           ? fmt::format("did you mean {}?", *close)
                      : known.empty() ? "no stack is configured"
                                      : "there are: " + join(known, ", "));
  }
  const std::shared_ptr<Reconciler> stack = found->second;
  if (route.method == "POST") co_return co_await post_route(std::move(route), stack);
  if (route.method != "GET" && route.method != "HEAD") {
    co_return problem(405, "only GET and POST are allowed here");
  }
  if (route.path.size() == 3) co_return json_reply(200, stack_json(*stack));
  const std::string& what = route.path[3];
  if (what == "releases" && route.path.size() == 4) {
    Json body;
    body["stack"] = name;
    body["releases"] = Json::array();
    const auto& releases = stack->store().releases();
    for (auto entry = releases.rbegin(); entry != releases.rend(); ++entry) {
      body["releases"].push_back(release_json(stack->store(), entry->second, true));
    }
    co_return json_reply(200, body);
  }
  if (what == "releases" && route.path.size() == 5) {
    const ReleaseRecord* const release =
        stack->store().find(parse_number<int>(route.path[4]).value_or(0));
    if (release == nullptr) {
      co_return problem(404, fmt::format("{} has no release {}", name, printable(route.path[4])),
                        fmt::format("`trimtab history {}` lists the releases", name));
    }
    co_return json_reply(200, release_json(stack->store(), *release, false));
  }
  if (what == "plan" && route.path.size() == 4) {
    const Result<PlanAnswer> answer = co_await stack->plan();
    if (!answer) co_return problem(answer.error());
    co_return json_reply(200, plan_json(name, *answer));
  }
  if (what == "logs" && route.path.size() == 4) co_return logs(route, stack);
  if (route.path.size() == 4 && contains(post_routes, what)) {
    co_return problem(405, "only POST is allowed here");
  }
  co_return problem(404, fmt::format("there is no /v1/stacks/{}/{}", name, printable(what)));
}

Task<http::Reply> Api::post_route(Route route, std::shared_ptr<Reconciler> stack) {
  const std::string what = route.path.size() == 4 ? route.path[3] : std::string();
  if (route.path.size() == 3 || contains(get_routes, route.path[3])) {
    co_return problem(405, "only GET is allowed here");
  }
  Result<std::string> accepted = Error{Errc::not_found, "there is no such route", {}};
  if (what == "deploy") {
    const std::string commit = json_string(route.body, "commit");
    const bool valid = commit.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos &&
                       (commit.empty() || (commit.size() >= 4 && commit.size() <= 64));
    if (!valid) co_return problem(400, "`commit` is not a commit id", "give 4 to 64 hex digits");
    accepted = stack->deploy(commit);
  } else if (what == "rollback") {
    const std::int64_t release = json_int(route.body, "release");
    if (release != static_cast<int>(release)) {
      co_return problem(404, fmt::format("there is no release {}", release));
    }
    accepted = stack->rollback(static_cast<int>(release));
  } else if (what == "pause") {
    std::string why = json_string(route.body, "reason");
    accepted = co_await stack->pause(std::move(why));
  } else if (what == "resume") {
    accepted = co_await stack->resume();
  } else if (what == "check") {
    accepted = stack->check();
  }
  if (!accepted) co_return problem(accepted.error());
  Json body;
  body["stack"] = stack->settings().name;
  body["request"] = *accepted;
  co_return json_reply(202, body);
}

// --- streams

namespace {

Task<void> stream_events(asio::any_io_executor executor, EventBus* bus, std::string stack,
                         std::size_t recent, bool follow, http::Stream* stream) {
  EventBus::Follower follower(executor, *bus);
  std::string text;
  for (const AgentEvent& event : bus->recent(recent, stack)) text += event_text(event);
  text += ": connected\n\n";
  bool connected = co_await stream->write(std::move(text));
  while (connected && follow && !follower.lost()) {
    const auto until = SteadyClock::now() + keep_alive;
    const std::optional<AgentEvent> event = co_await follower.next(until);
    if (event && !stack.empty() && event->stack != stack) continue;
    std::string line = event ? event_text(*event) : ": still here\n\n";
    connected = co_await stream->write(std::move(line));
  }
  if (!connected || !follower.lost()) co_return;
  std::string goodbye = ": events were lost because this client reads too slowly; reconnect\n\n";
  connected = co_await stream->write(std::move(goodbye));
}

}  // namespace

http::Reply Api::logs(const Route& route, const std::shared_ptr<Reconciler>& stack) {
  LogRequest request;
  request.tail = std::clamp(parse_number<int>(route.parameter("tail", "")).value_or(default_tail),
                            0, max_log_tail);
  request.follow = route.parameter("follow", "false") == "true";
  for (const auto& [name, value] : route.query) {
    if (name == "service") request.services.push_back(value);
  }
  std::vector<std::string> known;
  for (const Container& container : stack->observation().own.containers) {
    known.push_back(container.service);
  }
  for (const std::string& service : request.services) {
    if (std::find(known.begin(), known.end(), service) != known.end()) continue;
    return problem(404,
                   fmt::format("{} has no container of service {}", stack->settings().name,
                               printable(service)),
                   known.empty() ? "nothing runs" : "there are: " + join(known, ", "));
  }
  http::Reply reply;
  reply.response.status = 200;
  reply.response.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
  const FindContainers find = [this, name = stack->settings().name] { return containers_of(name); };
  reply.streamer = [this, request, find](http::Stream& stream) {
    return stream_logs(executor_, &docker_, find, request, &stream);
  };
  return reply;
}

Task<Result<std::vector<Container>>> Api::containers_of(std::string stack) {
  const auto found = stacks_.find(stack);
  if (found == stacks_.end()) {
    co_return Error{Errc::not_found, stack + " is no longer configured", {}};
  }
  const std::shared_ptr<Reconciler> kept = found->second;
  co_return co_await own_containers(docker_, kept->settings(), kept->store(), kept->project());
}

http::Reply Api::events(const Route& route) {
  const std::string stack = route.parameter("stack", "");
  if (!stack.empty() && !stacks_.contains(stack)) {
    return problem(404, "there is no stack " + printable(stack));
  }
  const auto recent = static_cast<std::size_t>(
      std::clamp(parse_number<int>(route.parameter("recent", "")).value_or(0), 0, 1000));
  const bool follow = route.parameter("follow", "true") != "false";
  http::Reply reply;
  reply.response.status = 200;
  reply.response.headers = {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
  reply.streamer = [this, stack, recent, follow](http::Stream& stream) {
    return stream_events(executor_, &events_, stack, recent, follow, &stream);
  };
  return reply;
}

}  // namespace trimtab
