// More than 400 lines, because it implements all of Docker's calls on the same few exchange
// functions.
#include "agent/docker/docker_engine.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <deque>
#include <tuple>

#include "agent/docker/engine_errors.hpp"
#include "agent/docker/lines.hpp"
#include "agent/docker/log_frames.hpp"
#include "agent/docker/pull_progress.hpp"
#include "agent/model/reference.hpp"
#include "common/hash.hpp"
#include "common/task_scope.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {

namespace {

constexpr auto call_timeout = std::chrono::seconds(30);
// A registry may be slow to send the first byte, and a slow disk may stall the stream between two.
constexpr auto pull_stall = std::chrono::seconds(120);
constexpr auto never = SteadyClock::duration::max();
constexpr std::size_t max_log_line = 16 * 1024;
constexpr std::size_t max_json_line = 1024 * 1024;
constexpr std::size_t max_log_bytes = 256 * 1024;
constexpr std::size_t max_idle_connections = 2;

// The actions that can change a decision of the reconciler. exec events are left out: every health
// check causes some.
constexpr std::array watched_actions{"create", "start",  "restart",      "die",     "oom",
                                     "kill",   "stop",   "pause",        "unpause", "destroy",
                                     "rename", "update", "health_status"};

// Percent-encodes a reference as part of a path but keeps its slashes.
std::string path_encode(std::string_view reference) {
  std::vector<std::string> segments;
  for (const auto& segment : split(reference, '/'))
    segments.push_back(http::percent_encode(segment));
  return join(segments, "/");
}

std::string project_filter(const std::string& project) {
  Json filters = Json::object();
  filters["label"] = Json::array();
  filters["label"].push_back("com.docker.compose.project=" + project);
  return http::percent_encode(dump_json(filters));
}

std::string event_filter() {
  Json filters = Json::object();
  filters["type"] = Json::array();
  filters["type"].push_back("container");
  filters["label"] = Json::array();
  filters["label"].push_back("com.docker.compose.project");
  filters["event"] = Json::array();
  for (const char* action : watched_actions) filters["event"].push_back(action);
  return http::percent_encode(dump_json(filters));
}

// Formats a time as the Engine expects it: seconds with nine decimals.
std::string engine_time(std::int64_t nanoseconds) {
  constexpr std::int64_t second = 1'000'000'000;
  const std::string fraction = std::to_string(nanoseconds % second);
  return fmt::format("{}.{}{}", nanoseconds / second, std::string(9 - fraction.size(), '0'),
                     fraction);
}

std::string auth_header(const RegistryLogin& login) {
  Json credentials = Json::object();
  if (login.identity_token.empty()) {
    credentials["username"] = login.username;
    credentials["password"] = login.password;
  } else {
    credentials["identitytoken"] = login.identity_token;
  }
  credentials["serveraddress"] = login.server;
  return base64url_encode(dump_json(credentials));
}

bool in_order(const Container& a, const Container& b) {
  return std::tie(a.service, a.number, a.name) < std::tie(b.service, b.number, b.name);
}

// Extracts lines from the Engine's log stream of a container.
class LogReader {
 public:
  LogReader(bool terminal, LineSplitter::OnLine on_line)
      : terminal_(terminal), on_line_(std::move(on_line)) {}

  bool feed(std::string_view bytes) {
    if (terminal_) return out_.feed(bytes, on_line_);
    return frames_.feed(bytes, [this](LogStream stream, std::string_view piece) {
      return (stream == LogStream::out ? out_ : err_).feed(piece, on_line_);
    });
  }
  void finish() {
    if (out_.finish(on_line_)) err_.finish(on_line_);
  }
  [[nodiscard]] bool malformed() const { return frames_.malformed(); }

 private:
  bool terminal_;
  LineSplitter::OnLine on_line_;
  LogDemultiplexer frames_;
  LineSplitter out_{max_log_line};
  LineSplitter err_{max_log_line};
};

}  // namespace

DockerEngine::DockerEngine(std::string socket_path, MayConnect may_connect)
    : socket_path_(std::move(socket_path)), may_connect_(std::move(may_connect)) {}

// ---- Exchanges ----------------------------------------------------------------------------------

Error DockerEngine::unreachable(const Error& error) {
  version_.reset();  // another Engine may answer next time
  if (error.code == Errc::denied) {
    return Error{Errc::denied, "access to Docker is denied: " + error.message,
                 "run trimtabd as root or as a member of the group docker"};
  }
  const bool transient = error.code == Errc::unavailable || error.code == Errc::timed_out;
  return Error{error.code, "Docker does not answer: " + error.message,
               transient ? "is docker.service running?" : ""};
}

Task<Result<void>> DockerEngine::may_connect() {
  if (!may_connect_) co_return Result<void>();
  const Result<void> may = co_await may_connect_();
  if (may) co_return may;
  version_.reset();
  idle_.clear();
  co_return may;
}

Task<Result<std::string>> DockerEngine::version_prefix() {
  if (!version_) {
    http::Request request;
    request.target = "/version";
    auto answer = co_await send(std::move(request), call_timeout);
    if (!answer) co_return answer.error();
    if (answer->status != 200) {
      co_return engine_error("cannot get Docker's version", answer->status, answer->body);
    }
    auto json = parse_json(answer->body);
    if (!json) co_return json.error().context("Docker's version");
    auto chosen = choose_api_version(*json);
    if (!chosen) co_return chosen.error();
    version_ = *chosen;
  }
  co_return "/v" + version_->text();
}

Task<Result<http::Response>> DockerEngine::send(http::Request request,
                                                SteadyClock::duration timeout) {
  const Result<void> may = co_await may_connect();
  if (!may) co_return may.error();
  http::Endpoint endpoint;
  endpoint.unix_path = socket_path_;
  http::Connection connection(std::move(endpoint));
  if (!idle_.empty()) {
    connection = std::move(idle_.back());
    idle_.pop_back();
  }
  http::Limits limits;
  limits.timeout = timeout;
  auto response = co_await connection.exchange(std::move(request), limits);
  if (!response) co_return unreachable(response.error());
  if (idle_.size() < max_idle_connections) idle_.push_back(std::move(connection));
  co_return response;
}

Task<Result<http::Response>> DockerEngine::call(http::Request request,
                                                SteadyClock::duration timeout) {
  for (bool first = true;; first = false) {
    auto prefix = co_await version_prefix();
    if (!prefix) co_return prefix.error();
    http::Request versioned = request;
    versioned.target = *prefix + request.target;
    auto response = co_await send(std::move(versioned), timeout);
    const bool replaced = response && is_version_refusal(response->status, response->body);
    if (!replaced || !first) co_return response;
    version_.reset();
  }
}

Task<Result<http::Response>> DockerEngine::call(std::string method, std::string path,
                                                SteadyClock::duration timeout) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(path);
  return call(std::move(request), timeout);
}

Task<Result<http::Response>> DockerEngine::post(std::string path, Json body) {
  http::Request request;
  request.method = "POST";
  request.target = std::move(path);
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = dump_json(body);
  return call(std::move(request), call_timeout);
}

Task<Result<http::Response>> DockerEngine::stream(http::Request request, SteadyClock::duration idle,
                                                  std::function<void()> on_open,
                                                  http::OnChunk on_chunk) {
  http::Endpoint endpoint;
  endpoint.unix_path = socket_path_;
  http::Connection connection(std::move(endpoint));
  http::Limits limits;
  limits.timeout = idle == never ? call_timeout : idle;
  for (bool first = true;; first = false) {
    auto prefix = co_await version_prefix();
    if (!prefix) co_return prefix.error();
    http::Request versioned = request;
    versioned.target = *prefix + request.target;
    const Result<void> may = co_await may_connect();
    if (!may) co_return may.error();
    auto response =
        co_await connection.stream(std::move(versioned), limits, idle, on_open, on_chunk);
    if (!response) co_return unreachable(response.error());
    // It has opened no stream then, and nothing was done.
    const bool replaced = is_version_refusal(response->status, response->body);
    if (!replaced || !first) co_return response;
    version_.reset();
  }
}

Task<Result<Json>> DockerEngine::get(std::string path, std::string what) {
  auto response = co_await call("GET", std::move(path), call_timeout);
  if (!response) co_return response.error();
  if (response->status != 200) co_return engine_error(what, response->status, response->body);
  auto json = parse_json(response->body);
  if (!json) co_return json.error().context(what + ": Docker's answer");
  co_return json;
}

Task<Result<void>> DockerEngine::change(std::string method, std::string path, std::string what,
                                        int also_fine, SteadyClock::duration timeout) {
  auto response = co_await call(std::move(method), std::move(path), timeout);
  if (!response) co_return response.error();
  const bool fine = response->status / 100 == 2 || response->status == also_fine;
  if (!fine) co_return engine_error(what, response->status, response->body);
  co_return Result<void>();
}

// ---- Containers and Engine ----------------------------------------------------------------------

Task<Result<EngineInfo>> DockerEngine::info() {
  version_.reset();
  auto json = co_await get("/info", "cannot get information about Docker");
  if (!json) co_return json.error();
  EngineInfo info = parse_info(*json);
  if (version_) info.api_version = version_->text();
  co_return info;
}

Task<Result<Json>> DockerEngine::inspect(std::string container) {
  std::string what = "cannot inspect container " + container;
  std::string path = fmt::format("/containers/{}/json", path_encode(container));
  auto json = co_await get(std::move(path), std::move(what));
  co_return json;
}

Task<Result<std::vector<Container>>> DockerEngine::project_containers(std::string project) {
  std::string path = "/containers/json?all=1&filters=" + project_filter(project);
  auto listed = co_await get(std::move(path), "cannot list containers");
  if (!listed) co_return listed.error();
  std::vector<Container> containers;
  for (const Json& entry : *listed) {
    if (parse_listed_container(entry).oneoff) continue;
    std::string id = json_string(entry, "Id");
    auto inspected = co_await inspect(std::move(id));
    if (!inspected && inspected.error().code == Errc::not_found) continue;  // removed meanwhile
    if (!inspected) co_return inspected.error();
    containers.push_back(parse_container(*inspected));
  }
  std::sort(containers.begin(), containers.end(), in_order);
  co_return containers;
}

Task<Result<std::vector<Container>>> DockerEngine::all_containers() {
  auto listed = co_await get("/containers/json?all=1", "cannot list containers");
  if (!listed) co_return listed.error();
  std::vector<Container> containers;
  for (const Json& entry : *listed) containers.push_back(parse_listed_container(entry));
  std::sort(containers.begin(), containers.end(), in_order);
  co_return containers;
}

// ---- Networks, volumes and images ---------------------------------------------------------------

Task<Result<std::set<std::string>>> DockerEngine::networks() {
  auto listed = co_await get("/networks", "cannot list networks");
  if (!listed) co_return listed.error();
  std::set<std::string> names;
  for (const Json& network : *listed) names.insert(json_string(network, "Name"));
  co_return names;
}

Task<Result<std::set<std::string>>> DockerEngine::volumes() {
  auto listed = co_await get("/volumes", "cannot list volumes");
  if (!listed) co_return listed.error();
  std::set<std::string> names;
  for (const Json& volume : json_array(*listed, "Volumes")) {
    names.insert(json_string(volume, "Name"));
  }
  co_return names;
}

Task<Result<Image>> DockerEngine::image(std::string reference) {
  std::string path = fmt::format("/images/{}/json", path_encode(reference));
  std::string what = "cannot inspect image " + reference;
  auto json = co_await get(std::move(path), std::move(what));
  if (!json) co_return json.error();
  co_return parse_image(*json);
}

Task<Result<std::vector<std::string>>> DockerEngine::tags_below(std::string prefix) {
  Json filters = Json::object();
  filters["reference"] = Json::array({prefix + "*"});
  std::string path = "/images/json?filters=" + http::percent_encode(dump_json(filters));
  auto listed = co_await get(std::move(path), "cannot list images");
  if (!listed) co_return listed.error();
  std::vector<std::string> tags;
  for (const Json& entry : *listed) {
    for (const std::string& tag : parse_listed_tags(entry)) {
      if (tag.starts_with(prefix)) tags.push_back(tag);
    }
  }
  co_return tags;
}

Task<Result<void>> DockerEngine::pull(std::string repository, std::string digest,
                                      std::string platform, std::optional<RegistryLogin> login,
                                      std::function<void(const PullProgress&)> on_progress) {
  const std::string pinned = repository + "@" + digest;
  // Without a tag or digest the Engine would pull every tag of the repository.
  if (!is_digest(digest)) co_return Error{Errc::invalid, pinned + ": not a digest", {}};
  http::Request request;
  request.method = "POST";
  request.target = fmt::format("/images/create?fromImage={}&tag={}",
                               http::percent_encode(repository), http::percent_encode(digest));
  if (!platform.empty()) request.target += "&platform=" + http::percent_encode(platform);
  if (login) request.headers.emplace_back("X-Registry-Auth", auth_header(*login));
  PullTracker tracker;
  const LineSplitter::OnLine on_line = [&](std::string_view line) {
    const auto progress = tracker.take(line);
    if (progress && on_progress) on_progress(*progress);
    return true;
  };
  LineSplitter lines(max_json_line);
  http::OnChunk on_chunk = [&](std::string_view bytes) { return lines.feed(bytes, on_line); };
  std::function<void()> on_open = [] {};
  auto response =
      co_await stream(std::move(request), pull_stall, std::move(on_open), std::move(on_chunk));
  if (!response) co_return response.error().context("pulling " + pinned);
  lines.finish(on_line);
  if (response->status != 200) co_return pull_error(pinned, response->status, response->body);
  if (tracker.failure()) co_return pull_error(pinned, response->status, *tracker.failure());
  auto there = co_await image(pinned);
  if (there) co_return Result<void>();
  if (there.error().code != Errc::not_found) co_return there.error();
  co_return Error{
      Errc::failed,
      fmt::format("Docker reports that it pulled {}, but the image does not exist", pinned),
      {}};
}

Task<Result<void>> DockerEngine::tag_image(std::string reference, std::string repository,
                                           std::string tag) {
  std::string path = fmt::format("/images/{}/tag?repo={}&tag={}", path_encode(reference),
                                 http::percent_encode(repository), http::percent_encode(tag));
  std::string what = "cannot tag image " + reference;
  auto done = co_await change("POST", std::move(path), std::move(what), 0, call_timeout);
  co_return done;
}

Task<Result<void>> DockerEngine::remove_image(std::string reference) {
  std::string path = "/images/" + path_encode(reference);
  std::string what = "cannot remove image " + reference;
  auto done = co_await change("DELETE", std::move(path), std::move(what), 404, call_timeout);
  if (!done && done.error().code == Errc::conflict) co_return Result<void>();
  co_return done;
}

// ---- Logs ---------------------------------------------------------------------------------------

Task<Result<void>> DockerEngine::follow_logs(std::string container, LogRange range, bool follow,
                                             std::function<bool(std::string_view)> on_line) {
  auto inspected = co_await inspect(container);
  if (!inspected) co_return inspected.error();
  const bool terminal = json_bool(json_object(*inspected, "Config"), "Tty");
  http::Request request;
  request.target = fmt::format("/containers/{}/logs?stdout=1&stderr=1&tail={}&follow={}",
                               path_encode(container), range.tail, follow ? "1" : "0");
  if (range.since) {
    const std::chrono::nanoseconds since = range.since->time_since_epoch();
    request.target += "&since=" + engine_time(since.count());
  }
  LogReader reader(terminal, std::move(on_line));
  http::OnChunk on_chunk = [&](std::string_view bytes) { return reader.feed(bytes); };
  const auto idle = follow ? never : SteadyClock::duration(call_timeout);
  std::function<void()> on_open = [] {};
  auto response =
      co_await stream(std::move(request), idle, std::move(on_open), std::move(on_chunk));
  if (!response) co_return response.error();
  const std::string what = "cannot read the log of container " + container;
  if (response->status != 200) co_return engine_error(what, response->status, response->body);
  if (reader.malformed()) co_return Error{Errc::failed, what + ": not in Docker's log format", {}};
  reader.finish();
  co_return Result<void>();
}

Task<Result<std::string>> DockerEngine::last_log_lines(std::string container, int lines) {
  std::deque<std::string> kept;
  std::size_t bytes = 0;
  LineSplitter::OnLine keep = [&](std::string_view line) {
    kept.push_back(printable(line));
    bytes += kept.back().size() + 1;
    while (kept.size() > static_cast<std::size_t>(lines) || bytes > max_log_bytes) {
      bytes -= kept.front().size() + 1;
      kept.pop_front();
    }
    return true;
  };
  const LogRange range{lines, {}};
  auto read = co_await follow_logs(std::move(container), range, false, std::move(keep));
  if (!read) co_return read.error();
  const std::vector<std::string> all(kept.begin(), kept.end());
  co_return join(all, "\n");
}

// ---- Commands in containers ---------------------------------------------------------------------

Task<Result<int>> DockerEngine::exec(ExecRequest request,
                                     std::function<void(std::string_view)> on_line) {
  const std::string what =
      fmt::format("cannot run {} in container {}", request.argv.empty() ? "" : request.argv.front(),
                  request.container);
  Json wanted = Json::object();
  wanted["AttachStdout"] = true;
  wanted["AttachStderr"] = true;
  wanted["Cmd"] = request.argv;
  wanted["Env"] = Json::array();
  for (const auto& [name, value] : request.environment) {
    wanted["Env"].push_back(name + "=" + value);
  }
  std::string path = fmt::format("/containers/{}/exec", path_encode(request.container));
  auto created = co_await post(std::move(path), std::move(wanted));
  if (!created) co_return created.error();
  if (created->status != 201) co_return engine_error(what, created->status, created->body);
  auto made = parse_json(created->body);
  if (!made) co_return made.error().context(what + ": Docker's answer");
  const std::string id = json_string(*made, "Id");

  http::Request start;
  start.method = "POST";
  start.target = fmt::format("/exec/{}/start", path_encode(id));
  start.headers.emplace_back("Content-Type", "application/json");
  start.body = R"({"Detach":false,"Tty":false})";
  LogReader reader(false, [&on_line](std::string_view line) {
    on_line(line);
    return true;
  });
  http::OnChunk on_chunk = [&](std::string_view bytes) { return reader.feed(bytes); };
  std::function<void()> on_open = [] {};
  auto response = co_await stream(std::move(start), never, std::move(on_open), std::move(on_chunk));
  if (!response) co_return response.error();
  if (response->status != 200) co_return engine_error(what, response->status, response->body);
  reader.finish();
  auto ended = co_await exec_result(id);
  co_return ended;
}

Task<Result<int>> DockerEngine::exec_result(std::string id) {
  // The Engine closes the stream a moment before it records the exit code.
  const SteadyClock::time_point deadline = SteadyClock::now() + call_timeout;
  for (;;) {
    auto inspected = co_await get(fmt::format("/exec/{}/json", path_encode(id)),
                                  "cannot get the exit code of a command in a container");
    if (!inspected) co_return inspected.error();
    if (!json_bool(*inspected, "Running")) {
      co_return static_cast<int>(json_int(*inspected, "ExitCode"));
    }
    if (SteadyClock::now() > deadline) {
      co_return Error{
          Errc::timed_out, "a command in a container closed its output but keeps running", {}};
    }
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(50));
    if (!slept) co_return slept.error();
  }
}

// ---- Containers ---------------------------------------------------------------------------------

Task<Result<void>> DockerEngine::start(std::string container) {
  std::string path = fmt::format("/containers/{}/start", path_encode(container));
  std::string what = "cannot start container " + container;
  auto done =
      co_await change("POST", std::move(path), std::move(what), 304, std::chrono::minutes(2));
  co_return done;
}

Task<Result<void>> DockerEngine::stop_gracefully(std::string container, std::string verb) {
  auto inspected = co_await inspect(container);
  if (!inspected) co_return inspected.error();
  const std::int64_t grace = json_int(json_object(*inspected, "Config"), "StopTimeout", 10);
  // -1 means no limit.
  const auto bounded = std::chrono::seconds(grace < 0 || grace > 3600 ? 3600 : grace);
  std::string path = fmt::format("/containers/{}/{}", path_encode(container), verb);
  std::string what = fmt::format("cannot {} container {}", verb, container);
  auto done =
      co_await change("POST", std::move(path), std::move(what), 304, bounded + call_timeout);
  co_return done;
}

Task<Result<void>> DockerEngine::stop(std::string container) {
  return stop_gracefully(std::move(container), "stop");
}

Task<Result<void>> DockerEngine::restart(std::string container) {
  return stop_gracefully(std::move(container), "restart");
}

Task<Result<void>> DockerEngine::signal(std::string container, std::string signal) {
  std::string path = fmt::format("/containers/{}/kill?signal={}", path_encode(container),
                                 http::percent_encode(signal));
  std::string what = fmt::format("cannot send {} to container {}", signal, container);
  auto done = co_await change("POST", std::move(path), std::move(what), 0, call_timeout);
  co_return done;
}

Task<Result<std::uint64_t>> DockerEngine::memory_used(std::string container) {
  std::string path =
      fmt::format("/containers/{}/stats?stream=0&one-shot=1", path_encode(container));
  std::string what = fmt::format("cannot get the memory usage of container {} uses", container);
  auto stats = co_await get(std::move(path), std::move(what));
  if (!stats) co_return stats.error();
  co_return memory_of_stats(*stats);
}

Task<Result<ThrowawayResult>> DockerEngine::run_throwaway(ThrowawayRequest request) {
  const std::string left_over =
      fmt::format("/containers/{}?force=1&v=1", path_encode(request.name));
  const std::string what = "cannot remove container " + request.name;
  auto removed = co_await change("DELETE", left_over, what, 404, call_timeout);
  if (!removed) co_return removed.error();
  Result<ThrowawayResult> end = Error{Errc::cancelled, "the check was cancelled", {}};
  auto trial = store_result(perform_throwaway(std::move(request)), &end);
  const std::function<Task<void>()> remove_again = [&] {
    return store_result(change("DELETE", left_over, what, 404, call_timeout), &removed);
  };
  auto whole = with_cleanup(std::move(trial), remove_again);
  co_await std::move(whole);
  if (end && !removed) co_return removed.error();
  co_return end;
}

Task<Result<ThrowawayResult>> DockerEngine::perform_throwaway(ThrowawayRequest request) {
  const std::string what = "cannot run " + join(request.argv, " ");
  auto like = co_await inspect(request.like);
  if (!like) co_return like.error();
  std::string path = "/containers/create?name=" + http::percent_encode(request.name);
  auto created = co_await post(std::move(path), throwaway_container(*like, request));
  if (!created) co_return created.error();
  if (created->status != 201) co_return engine_error(what, created->status, created->body);
  const std::vector<std::string> networks = networks_joined_by(*like);
  for (std::size_t i = 1; i < networks.size(); ++i) {
    path = fmt::format("/networks/{}/connect", path_encode(networks[i]));
    Json member = Json::object();
    member["Container"] = request.name;
    auto connected = co_await post(std::move(path), std::move(member));
    if (!connected) co_return connected.error();
    if (connected->status != 200) co_return engine_error(what, connected->status, connected->body);
  }
  auto started = co_await start(request.name);
  if (!started) co_return started.error().context(what);
  path = fmt::format("/containers/{}/wait", path_encode(request.name));
  const SteadyClock::time_point deadline = SteadyClock::now() + request.timeout;
  auto waited = co_await call("POST", std::move(path), request.timeout);
  if (!waited && SteadyClock::now() >= deadline) {
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(request.timeout);
    co_return Error{
        Errc::timed_out,
        fmt::format("{}: it did not finish within {} and was killed", what, human_duration(limit)),
        "is it waiting for a name or a server that does not answer?"};
  }
  if (!waited) co_return waited.error().context(what);
  if (waited->status != 200) co_return engine_error(what, waited->status, waited->body);
  auto ended = parse_json(waited->body);
  if (!ended) co_return ended.error().context(what + ": Docker's answer");
  constexpr int kept_lines = 20;
  auto log = co_await last_log_lines(request.name, kept_lines);
  if (!log) co_return log.error();
  co_return ThrowawayResult{static_cast<int>(json_int(*ended, "StatusCode")), *log};
}

Task<Result<void>> DockerEngine::remove(std::string container) {
  std::string path = "/containers/" + path_encode(container);
  std::string what = "cannot remove container " + container;
  auto done = co_await change("DELETE", std::move(path), std::move(what), 404, call_timeout);
  co_return done;
}

// ---- Events -------------------------------------------------------------------------------------

Task<Result<void>> DockerEngine::events(std::int64_t since_nano, std::function<void()> on_connected,
                                        std::function<void(const EngineEvent&)> on_event) {
  version_.reset();  // the Engine may have been upgraded since the last stream
  http::Request request;
  request.target = "/events?filters=" + event_filter();
  // `since` is inclusive, so this asks from the next nanosecond on to avoid repeating the last
  // event.
  if (since_nano > 0) request.target += "&since=" + engine_time(since_nano + 1);
  LineSplitter lines(max_json_line);
  const LineSplitter::OnLine on_line = [&](std::string_view line) {
    const auto json = parse_json(line);
    const auto event = json ? parse_event(*json) : std::nullopt;
    if (event) on_event(*event);
    return true;
  };
  http::OnChunk on_chunk = [&](std::string_view bytes) { return lines.feed(bytes, on_line); };
  auto response =
      co_await stream(std::move(request), never, std::move(on_connected), std::move(on_chunk));
  if (!response) co_return response.error();
  if (response->status != 200) {
    co_return engine_error("cannot follow Docker's events", response->status, response->body);
  }
  co_return Error{Errc::unavailable, "Docker closed its event stream", {}};
}

}  // namespace trimtab
