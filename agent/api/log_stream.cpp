#include "agent/api/log_stream.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/task_scope.hpp"

namespace trimtab {
namespace {

constexpr std::size_t max_backlog = 4 * 1024 * 1024;
constexpr auto follow_interval = std::chrono::seconds(1);

// A container and its start: a container that is started again continues its log, but a reader ends
// when the container does.
using Run = std::pair<std::string, WallTime>;

// The reader of a run.
struct RunReader {
  std::optional<SteadyClock::time_point> ended_at;
  bool is_final = false;  // it ended for a reason that stays
};

// Lines that were read from containers but not yet sent to the client.
struct Backlog {
  explicit Backlog(asio::any_io_executor executor) : wake(std::move(executor)) {}
  std::string text;
  std::size_t readers = 0;
  std::map<Run, RunReader> runs;
  std::map<std::string, WallTime> read_until;  // by container, once a reader of it has ended
  WakeEvent wake;
};

Task<void> read_log(Docker* docker, Run run, std::string prefix, LogRange range, bool follow,
                    Backlog* backlog) {
  bool full = false;
  std::function<bool(std::string_view)> on_line = [backlog, &full,
                                                   head = prefix](std::string_view line) {
    backlog->text += fmt::format("{} | {}\n", head, line);
    backlog->wake.notify();
    full = backlog->text.size() >= max_backlog;
    return !full;
  };
  const std::string id = run.first;
  const Result<void> ended = co_await docker->follow_logs(id, range, follow, on_line);
  backlog->read_until[id] = wall_now();
  const bool goes_on = follow && !full && (ended || ended.error().code == Errc::unavailable);
  if (!ended) {
    backlog->text += fmt::format("{} | (the log {} here: {})\n", prefix,
                                 goes_on ? "breaks off" : "ends", ended.error().message);
  }
  if (full) {
    backlog->text += fmt::format(
        "{} | (the log ends here: it is written faster than it is read; ask for fewer lines, or "
        "for one service)\n",
        prefix);
  }
  RunReader& reader = backlog->runs[run];
  reader.ended_at = SteadyClock::now();
  reader.is_final = !goes_on;
  --backlog->readers;
  backlog->wake.notify();
}

bool is_wanted(const LogRequest& request, const Container& container) {
  return request.services.empty() || std::find(request.services.begin(), request.services.end(),
                                               container.service) != request.services.end();
}

// Docker notes a start after the first lines may have been written, but an end only after the last
// line of that run. Between two looks there may have been several runs.
WallTime end_of_what_was_read(const Backlog& backlog, const Container& container) {
  const WallTime end_of_last_run = container.finished_at + std::chrono::milliseconds(1);
  const auto until = backlog.read_until.find(container.id);
  return until == backlog.read_until.end() ? end_of_last_run
                                           : std::min(end_of_last_run, until->second);
}

// Returns what to read of a container that was last observed at `looked_at`, if anything.
std::optional<LogRange> range_to_read(const Container& container, SteadyClock::time_point looked_at,
                                      bool is_first, int tail, const Backlog& backlog) {
  if (is_first) return LogRange{tail, {}};
  if (container.started_at == WallTime()) return std::nullopt;
  LogRange range{max_log_tail, {}};
  const auto known = backlog.runs.find(Run(container.id, container.started_at));
  if (known == backlog.runs.end()) {
    if (container.finished_at != WallTime()) range.since = end_of_what_was_read(backlog, container);
    return range;
  }
  // Docker dropped the stream, as when it is restarted under containers that run on.
  const RunReader& reader = known->second;
  const bool was_dropped = container.state == ContainerState::running && reader.ended_at &&
                           *reader.ended_at < looked_at && !reader.is_final;
  if (!was_dropped) return std::nullopt;
  range.since = backlog.read_until.at(container.id);
  return range;
}

void read_new(const std::vector<Container>& containers, SteadyClock::time_point looked_at,
              bool is_first, const LogRequest& request, Docker* docker, TaskGroup* readers,
              Backlog* backlog) {
  for (const Container& container : containers) {
    if (!is_wanted(request, container)) continue;
    const auto range = range_to_read(container, looked_at, is_first, request.tail, *backlog);
    if (!range) continue;
    Run run(container.id, container.started_at);
    backlog->runs[run] = RunReader();
    std::string prefix = container.service;
    if (container.number > 1) prefix += fmt::format("-{}", container.number);
    ++backlog->readers;
    readers->spawn("logs", read_log(docker, std::move(run), std::move(prefix), *range,
                                    request.follow, backlog));
  }
}

// Starts the readers and forwards what they read to the client.
Task<void> write_logs(TaskGroup* readers, Docker* docker, const FindContainers* find,
                      const LogRequest* request, Backlog* backlog, http::Stream* stream) {
  auto next_find = SteadyClock::now();
  bool is_first = true;
  while (is_first || request->follow || backlog->readers > 0 || !backlog->text.empty()) {
    if (!backlog->text.empty()) {
      std::string text = std::exchange(backlog->text, {});
      const bool connected = co_await stream->write(std::move(text));
      if (!connected) co_return;
      continue;
    }
    if ((is_first || request->follow) && SteadyClock::now() >= next_find) {
      const auto looked_at = SteadyClock::now();
      auto finding = (*find)();
      const auto containers = co_await std::move(finding);
      if (containers) {
        read_new(*containers, looked_at, is_first, *request, docker, readers, backlog);
      }
      // Docker may be restarting under a client that follows.
      const bool goes_on =
          containers || (request->follow && containers.error().code != Errc::not_found);
      if (!goes_on) {
        std::string text = fmt::format("(the logs end here: {})\n", containers.error().message);
        co_await stream->write(std::move(text));
        co_return;
      }
      if (containers) is_first = false;
      next_find = SteadyClock::now() + follow_interval;
      continue;
    }
    const auto until = request->follow ? next_find : SteadyClock::time_point::max();
    const bool woken = co_await backlog->wake.wait_until(until);
    if (!woken && !request->follow) co_return;
  }
}

}  // namespace

Task<void> stream_logs(asio::any_io_executor executor, Docker* docker, FindContainers find,
                       LogRequest request, http::Stream* stream) {
  Backlog backlog(executor);
  const std::function<Task<void>(TaskGroup&)> body = [&](TaskGroup& readers) {
    return write_logs(&readers, docker, &find, &request, &backlog, stream);
  };
  auto whole = with_task_group(body);
  co_await std::move(whole);
}

}  // namespace trimtab
