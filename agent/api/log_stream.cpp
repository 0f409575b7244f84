#include "agent/api/log_stream.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/task_scope.hpp"

namespace trimtab {
namespace {

constexpr std::size_t max_backlog = 4 * 1024 * 1024;
constexpr auto follow_interval = std::chrono::seconds(1);

// Lines that were read from containers but not yet sent to the client.
struct Backlog {
  explicit Backlog(asio::any_io_executor executor) : wake(std::move(executor)) {}
  std::string text;
  std::size_t readers = 0;
  // Container and its start: a container that is started again continues its log, but a reader ends
  // when the container does.
  std::set<std::pair<std::string, WallTime>> read;
  std::map<std::string, WallTime> read_until;  // by container, once a reader of it has ended
  WakeEvent wake;
};

Task<void> read_log(Docker* docker, std::string id, std::string prefix, LogRange range, bool follow,
                    Backlog* backlog) {
  bool full = false;
  std::function<bool(std::string_view)> on_line = [backlog, &full,
                                                   head = prefix](std::string_view line) {
    backlog->text += head + " | " + std::string(line) + "\n";
    backlog->wake.notify();
    full = backlog->text.size() >= max_backlog;
    return !full;
  };
  const Result<void> ended = co_await docker->follow_logs(id, range, follow, on_line);
  backlog->read_until[id] = wall_now();
  if (!ended) backlog->text += prefix + " | (the log ends here: " + ended.error().message + ")\n";
  if (full) {
    backlog->text += prefix + " | (the log ends here: it is written faster than it is read; " +
                     "ask for fewer lines, or for one service)\n";
  }
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

void read_new(const std::vector<Container>& containers, bool is_first, const LogRequest& request,
              Docker* docker, TaskGroup* readers, Backlog* backlog) {
  for (const Container& container : containers) {
    const bool was_started = container.started_at != WallTime();
    if (!is_wanted(request, container) || (!is_first && !was_started)) continue;
    if (!backlog->read.emplace(container.id, container.started_at).second) continue;
    std::string prefix = container.service;
    if (container.number > 1) prefix += "-" + std::to_string(container.number);
    LogRange range{is_first ? request.tail : max_log_tail, {}};
    if (!is_first && container.finished_at != WallTime()) {
      range.since = end_of_what_was_read(*backlog, container);
    }
    ++backlog->readers;
    readers->spawn(
        "logs", read_log(docker, container.id, std::move(prefix), range, request.follow, backlog));
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
      auto finding = (*find)();
      const auto containers = co_await std::move(finding);
      if (containers) read_new(*containers, is_first, *request, docker, readers, backlog);
      // Docker may be restarting under a client that follows.
      const bool goes_on =
          containers || (request->follow && containers.error().code != Errc::not_found);
      if (!goes_on) {
        std::string text = "(the logs end here: " + containers.error().message + ")\n";
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
