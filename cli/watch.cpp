#include "cli/watch.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "cli/render.hpp"
#include "cli/server_events.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab::cli {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Minimum interval between queries, however many events arrive.
constexpr milliseconds shortest{250};
// Maximum interval between queries, for ages and counters that no event announces.
constexpr seconds longest{10};
// Interval before the event stream is reopened.
constexpr seconds retry{1};
// Waiting is given up after this time without an answer. A restart of the daemon takes less.
constexpr seconds timeout{60};
// Allowance for the time between the daemon's recording of a request and the answer to it.
constexpr seconds slack{5};
// After this time a request that is neither the last one nor has a release counts as lost.
constexpr seconds request_timeout{10};

Task<Result<Json>> ask(Client& client, std::string stack) {
  std::string target = stack.empty() ? std::string("/v1/status") : stack_target(stack);
  co_return co_await client.get(std::move(target));
}

bool no_answer(const Error& error) {
  return error.code == Errc::unavailable || error.code == Errc::timed_out;
}

}  // namespace

EventFeed::EventFeed(asio::any_io_executor executor, std::string socket, const std::string& stack)
    : socket_(std::move(socket)),
      target_(stack.empty() ? std::string("/v1/events")
                            : "/v1/events?stack=" + http::percent_encode(stack)),
      wake_(std::move(executor)) {}

Task<void> EventFeed::run() {
  for (;;) {
    Client client(socket_);
    EventParser parser([this](std::string_view type, std::string_view data) { take(type, data); });
    std::function<void()> on_open = [this] { wake_.notify(); };
    http::OnChunk on_chunk = [&parser](std::string_view chunk) {
      parser.feed(chunk);
      return true;
    };
    const auto ended = co_await client.stream(target_, std::move(on_open), std::move(on_chunk));
    if (!ended && ended.error().code == Errc::cancelled) co_return;
    wake_.notify();
    const auto slept = co_await sleep_for(retry);
    if (!slept) co_return;
  }
}

void EventFeed::take(std::string_view type, std::string_view data) {
  if (type == "finished") {
    auto event = parse_json(data);
    if (event) finished_.emplace(json_string(*event, "request"), *event);
  }
  wake_.notify();
}

std::optional<Json> EventFeed::finished(const std::string& request) const {
  const auto found = finished_.find(request);
  if (found == finished_.end()) return std::nullopt;
  return found->second;
}

namespace {

// For a terminal: everything, with ages that advance between queries.
class LiveStatus {
 public:
  explicit LiveStatus(Terminal& terminal) : terminal_(terminal) {}
  void show(const Json& status, const std::optional<Error>& error) {
    const Screen screen = terminal_.screen();
    Lines lines =
        status.contains("stacks") ? render_status(status, screen) : render_stack(status, screen);
    if (error) lines.insert(lines.begin(), paint(screen, Colour::red, one_line(error->text())));
    terminal_.redraw(lines);
  }

 private:
  Terminal& terminal_;
};

// For other outputs: one line per change.
class StatusLines {
 public:
  explicit StatusLines(Terminal& terminal) : terminal_(terminal) {}
  void show(const Json& status, const std::optional<Error>& error) {
    if (error) {
      print("", one_line(error->text()));
      return;
    }
    print("", "");
    if (!status.contains("stacks")) {
      print(words(status, "name"), summary_line(status));
      return;
    }
    for (const Json& stack : json_array(status, "stacks")) {
      print(words(stack, "name"), summary_line(stack));
    }
  }

 private:
  void print(const std::string& name, const std::string& line) {
    if (std::exchange(last_[name], line) == line || line.empty()) return;
    terminal_.print({fmt::format("{}Z {}", format_time(wall_now()).substr(0, seconds_end), line)});
  }

  static constexpr std::size_t seconds_end = std::string_view("2026-11-23T00:07:23").size();
  Terminal& terminal_;
  std::map<std::string, std::string> last_;  // by stack; "" for the daemon
};

}  // namespace

Task<Error> watch_status(Client& client, EventFeed& feed, Terminal& terminal, std::string stack) {
  LiveStatus live(terminal);
  StatusLines plain(terminal);
  Json status;
  bool look = true;
  std::optional<Error> error;
  auto looked_at = SteadyClock::now();
  for (;;) {
    if (look) {
      auto answer = co_await ask(client, stack);
      looked_at = SteadyClock::now();
      if (answer) {
        status = std::move(*answer);
        error.reset();
      } else {
        if (status.is_null() || !no_answer(answer.error())) co_return answer.error();
        error = answer.error();
      }
    }
    if (terminal.live()) {
      live.show(status, error);
    } else {
      plain.show(status, error);
    }
    const auto paused = co_await sleep_for(shortest);
    if (!paused) co_return paused.error();
    const auto now = SteadyClock::now();
    const auto due = looked_at + longest;
    // On a terminal the ages advance every second.
    const auto until = terminal.live() ? std::min(now + seconds(1), due) : due;
    const bool woken = co_await feed.wait_until(until);
    look = woken || SteadyClock::now() >= due;
  }
}

namespace {

// Maps a release's outcome to that of the request that caused it.
std::string request_outcome(const std::string& release_outcome) {
  return release_outcome == "good" ? "done" : release_outcome;
}

// Follows one request; see follow_request.
//
// More than 15 members: what is known about the request, and how much of it has been shown.
class RequestWatch {
 public:
  RequestWatch(Client& client, Terminal& terminal, std::string stack, std::string request)
      : client_(client),
        terminal_(terminal),
        stack_(std::move(stack)),
        request_(std::move(request)),
        started_(SteadyClock::now()),
        requested_at_(wall_now() - slack),
        answered_(started_) {}

  // Queries once and shows what is new. Returns the result once there is one.
  Task<Result<std::optional<Ending>>> look(std::optional<Json> finished);

 private:
  Task<Result<void>> read_release();
  void begin_release();
  [[nodiscard]] Json request_of(const Json& stack, const std::optional<Json>& finished) const;
  void show(const Json& stack, const Json& request);

  Client& client_;
  Terminal& terminal_;
  std::string stack_;
  std::string request_;
  SteadyClock::time_point started_;
  WallTime requested_at_;
  SteadyClock::time_point answered_;
  std::int64_t number_ = 0;  // the release that the request is about
  Json release_;
  std::int64_t pulled_bytes_ = 0;
  std::size_t phases_told_ = 0;
  bool headed_ = false;
  std::string said_;  // last line about what it waits for, if not on a terminal
};

// Returns what is known about our request: from its event, from the stack or, if another request
// has replaced it there or the daemon was restarted, from its release.
Json RequestWatch::request_of(const Json& stack, const std::optional<Json>& finished) const {
  if (finished) return *finished;
  const Json& last = json_object(stack, "last_request");
  if (json_string(last, "id") == request_) return last;
  Json request = Json::object();
  if (number_ != 0) {
    request["release"] = number_;
    request["outcome"] = request_outcome(json_string(release_, "outcome"));
    return request;
  }
  const bool lost =
      SteadyClock::now() - started_ > request_timeout && json_object(stack, "deployment").empty();
  request["outcome"] = lost ? "failed" : "in_progress";
  if (lost) request["message"] = "trimtabd no longer knows this request; was it restarted?";
  return request;
}

Task<Result<void>> RequestWatch::read_release() {
  const std::string target = stack_target(stack_, fmt::format("/releases/{}", number_));
  auto release = co_await client_.get(target);
  if (!release) co_return release.error();
  release_ = std::move(*release);
  co_return Result<void>();
}

// If the request returns to a release that was deployed before, its timeline already contains
// earlier phases.
void RequestWatch::begin_release() {
  headed_ = false;
  pulled_bytes_ = 0;
  phases_told_ = 0;
  for (const Json& entry : json_array(release_, "timeline")) {
    const auto started = parse_time(json_string(entry, "started_at"));
    if (!started || *started >= requested_at_) break;
    ++phases_told_;
  }
}

void RequestWatch::show(const Json& stack, const Json& request) {
  const Screen screen = terminal_.screen();
  const Json& deployment = json_object(stack, "deployment");
  if (!release_.is_null()) {
    terminal_.print(ended_phases(release_, pulled_bytes_, screen, phases_told_));
  }
  const bool ended = json_string(request, "outcome") != "in_progress";
  Lines now;
  if (!ended && !deployment.empty()) {
    now = live_phase(deployment, deploy_label, screen);
  } else if (!ended) {
    const bool waiting = words(stack, "state") == "waiting";
    now = labelled(screen, deploy_label, waiting ? "waiting" : "polling",
                   waiting ? words(stack, "reason") : "Git and the registry", Colour::yellow);
  }
  if (terminal_.live()) {
    terminal_.redraw(now);
    return;
  }
  const std::string say = ended ? std::string()
                          : deployment.empty()
                              ? now.front()
                              : fmt::format("  {}: release {}", spaced(words(deployment, "phase")),
                                            json_int(deployment, "release"));
  if (say != said_ && !say.empty()) terminal_.print({say});
  said_ = say;
}

Task<Result<std::optional<Ending>>> RequestWatch::look(std::optional<Json> finished) {
  const auto is_bearable = [this](const Error& error) {
    return no_answer(error) && SteadyClock::now() - answered_ < timeout;
  };
  const auto stack = co_await ask(client_, stack_);
  if (!stack && is_bearable(stack.error())) co_return std::optional<Ending>();
  if (!stack) co_return stack.error();
  const Json& deployment = json_object(*stack, "deployment");
  Json request = request_of(*stack, finished);
  std::int64_t number = json_int(request, "release");
  if (number == 0) number = json_int(deployment, "release");
  if (number != 0) {
    const std::int64_t before = std::exchange(number_, number);
    const bool changed = number != before;
    const auto read = co_await read_release();
    if (!read && is_bearable(read.error())) {
      number_ = before;
      co_return std::optional<Ending>();
    }
    // A release may be announced a moment before it can be read.
    if (!read && read.error().code != Errc::not_found) co_return read.error();
    if (read && changed) begin_release();
    if (!read) number_ = 0;
    if (read) request = request_of(*stack, finished);
  }
  answered_ = SteadyClock::now();
  if (!headed_ && number_ != 0 && json_string(request, "outcome") != "nothing_to_do") {
    headed_ = true;
    terminal_.print({deploy_heading(stack_, release_)});
  }
  pulled_bytes_ = std::max(pulled_bytes_, json_int(json_object(deployment, "pull"), "total"));
  show(*stack, request);
  if (json_string(request, "outcome") == "in_progress") co_return std::optional<Ending>();
  Ending ending{std::move(request), release_.is_null() ? Json::object() : release_};
  co_return std::optional<Ending>(std::move(ending));
}

}  // namespace

Task<Result<Ending>> follow_request(Client& client, EventFeed& feed, Terminal& terminal,
                                    std::string stack, std::string request,
                                    const bool& interrupted) {
  RequestWatch watch(client, terminal, std::move(stack), request);
  for (;;) {
    auto finished = feed.finished(request);
    auto looked = co_await watch.look(std::move(finished));
    if (!looked) co_return looked.error();
    if (*looked) co_return std::move(**looked);
    // Events come in bursts, so queries are spaced; but the final event is handled immediately.
    const auto next_poll_at = SteadyClock::now() + shortest;
    const auto until = SteadyClock::now() + seconds(1);
    bool woken = co_await feed.wait_until(until);
    while (woken && !feed.finished(request) && SteadyClock::now() < next_poll_at) {
      woken = co_await feed.wait_until(next_poll_at);
    }
    if (interrupted) co_return Error{Errc::cancelled, "interrupted", {}};
  }
}

}  // namespace trimtab::cli
