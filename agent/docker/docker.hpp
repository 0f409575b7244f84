// The interface to the Docker Engine.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/login.hpp"
#include "agent/model/observed.hpp"
#include "common/async.hpp"

namespace trimtab {

// Which lines of a log are read.
struct LogRange {
  int tail = 0;                   // the last ones, at most
  std::optional<WallTime> since;  // and only those written from then on
};

struct ExecRequest {
  std::string container;
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // in addition to the container's own
};

// A command to run in a temporary container of its own.
struct ThrowawayRequest {
  std::string name;   // container name; an existing container of this name is removed first
  std::string like;   // container whose environment, user, mounts and networks it gets
  std::string image;  // reference
  std::vector<std::string> argv;
  // Destination → host file mounted there read-only, instead of what `like` mounts there.
  std::map<std::string, std::string> files;
  std::vector<std::string> hosts;  // names that resolve to 127.0.0.1 in the container
  SteadyClock::duration timeout = std::chrono::seconds(30);
};

struct ThrowawayResult {
  int exit_code = 0;
  std::string output;  // last log lines, printable
};

// Every call may fail with unavailable (Docker does not answer, or was restarted meanwhile),
// timed_out, not_found, conflict, denied, invalid, no_space or failed. The text contains the
// Engine's own message.
//
// More than 15 members: one per Engine API call that the agent makes.
class Docker {
 public:
  virtual ~Docker() = default;

  // Negotiates the API version (1.41 up to the newest known) and describes the Engine.
  virtual Task<Result<EngineInfo>> info() = 0;

  // Returns the project's containers except one-off ones, each inspected, sorted by service and
  // number.
  virtual Task<Result<std::vector<Container>>> project_containers(std::string project) = 0;
  // Returns all containers of the host, running or not, from one list request: id, name, labels,
  // state, image and ports. Health and restart counts are not set.
  virtual Task<Result<std::vector<Container>>> all_containers() = 0;

  // Return the names of all networks and of all volumes of the host; anonymous ones by their ids.
  virtual Task<Result<std::set<std::string>>> networks() = 0;
  virtual Task<Result<std::set<std::string>>> volumes() = 0;

  // not_found if there is no such local image. The reference may be an id, a tag or repo@digest.
  virtual Task<Result<Image>> image(std::string reference) = 0;
  // Returns the local tags NAME:TAG whose names are `prefix`, which ends with a slash, followed by
  // one path component.
  virtual Task<Result<std::vector<std::string>>> tags_below(std::string prefix) = 0;
  // Pulls `repository`@`digest` and verifies that the image exists afterwards. `platform`:
  // linux/arm64 if it may be another than the host's own; "": it is that.
  virtual Task<Result<void>> pull(std::string repository, std::string digest, std::string platform,
                                  std::optional<RegistryLogin> login,
                                  std::function<void(const PullProgress&)> on_progress) = 0;
  virtual Task<Result<void>> tag_image(std::string reference, std::string repository,
                                       std::string tag) = 0;
  // Removes a tag or image. Succeeds also on not_found and on conflict (in use).
  virtual Task<Result<void>> remove_image(std::string reference) = 0;

  // Returns the last `lines` lines that the container wrote to stdout and stderr, in order,
  // printable.
  virtual Task<Result<std::string>> last_log_lines(std::string container, int lines) = 0;
  // Streams log lines, beginning with those of `range`. Ends when the container exits (if
  // !follow: at the end of the existing log) or when on_line returns false.
  virtual Task<Result<void>> follow_logs(std::string container, LogRange range, bool follow,
                                         std::function<bool(std::string_view line)> on_line) = 0;

  // Runs a command in a running container and returns its exit code. on_line receives its stdout
  // and stderr, in order. The Engine cannot kill such a command: if this is cancelled or loses its
  // connection, the command keeps running.
  virtual Task<Result<int>> exec(ExecRequest request,
                                 std::function<void(std::string_view line)> on_line) = 0;

  virtual Task<Result<void>> start(std::string container) = 0;
  // Stops within the container's own stop grace period. Succeeds if it is not running.
  virtual Task<Result<void>> stop(std::string container) = 0;
  virtual Task<Result<void>> restart(std::string container) = 0;
  // Sends a signal ("HUP") to the container's first process. conflict if it is not running.
  virtual Task<Result<void>> signal(std::string container, std::string signal) = 0;
  // Runs the command and always removes the container afterwards. It publishes no port.
  virtual Task<Result<ThrowawayResult>> run_throwaway(ThrowawayRequest request) = 0;
  // Returns the memory in use by the container's processes, without the page cache, in bytes.
  virtual Task<Result<std::uint64_t>> memory_used(std::string container) = 0;
  // Removes a stopped container but never its volumes. Succeeds if it is gone.
  virtual Task<Result<void>> remove(std::string container) = 0;

  // Streams container events, from now on or from after `since_nano` (nanoseconds since 1970, the
  // last event seen), until the stream breaks: then unavailable. Calls on_connected once the Engine
  // has accepted the stream: state read after that call misses no event.
  virtual Task<Result<void>> events(std::int64_t since_nano, std::function<void()> on_connected,
                                    std::function<void(const EngineEvent&)> on_event) = 0;
};

}  // namespace trimtab
