// The seam to the Docker Engine.
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

struct ExecRequest {
  std::string container;
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // besides the container's own
};

// A command in a container of its own that is thrown away.
struct ThrowawayRequest {
  std::string name;   // of that container; one that was left over is removed first
  std::string like;   // the container whose environment, user, mounts and network it gets
  std::string image;  // reference
  std::vector<std::string> argv;
  // Destination → file of the host that is mounted there, read-only, in place of what `like` has.
  std::map<std::string, std::string> files;
  std::vector<std::string> hosts;  // names that mean 127.0.0.1 there
  SteadyClock::duration timeout = std::chrono::seconds(30);
};

struct TrialEnd {
  int exit_code = 0;
  std::string output;  // its last lines, printable
};

// Errors of every call: unavailable (Docker does not answer, or was restarted in between),
// timed_out, not_found, conflict, denied, invalid, no_space, failed; the text holds the Engine's
// own words.
class Docker {
 public:
  virtual ~Docker() = default;

  // Negotiates the API version (1.41 up to the newest known) and says what the Engine is.
  virtual Task<Result<EngineInfo>> info() = 0;

  // The project's containers, one-off ones left out, each inspected, by service and number.
  virtual Task<Result<std::vector<Container>>> project_containers(std::string project) = 0;
  // All containers of the host, running or not, from the listing alone: id, name, labels, state,
  // image, ports. Health and restart counts are not set.
  virtual Task<Result<std::vector<Container>>> all_containers() = 0;

  // The names of all networks and of all volumes of the host, unnamed ones by their ids.
  virtual Task<Result<std::set<std::string>>> networks() = 0;
  virtual Task<Result<std::set<std::string>>> volumes() = 0;

  // not_found where no such image is there. The reference may be an id, a tag or repo@digest.
  virtual Task<Result<Image>> image(std::string reference) = 0;
  // The tags NAME:TAG that are here and whose names begin with the prefix, which ends with a slash
  // and has one name after it.
  virtual Task<Result<std::vector<std::string>>> tags_below(std::string prefix) = 0;
  // Pulls `repository`@`digest` and confirms that the image is there afterwards.
  virtual Task<Result<void>> pull(std::string repository, std::string digest,
                                  std::optional<RegistryLogin> login,
                                  std::function<void(const PullProgress&)> on_progress) = 0;
  virtual Task<Result<void>> tag_image(std::string reference, std::string repository,
                                       std::string tag) = 0;
  // Removes a tag or image; not_found and conflict (in use) are successes.
  virtual Task<Result<void>> remove_image(std::string reference) = 0;

  // The last `lines` lines that the container wrote, stdout and stderr in order, printable.
  virtual Task<Result<std::string>> last_log_lines(std::string container, int lines) = 0;
  // Lines as they are written, `tail` old ones first; ends with the container (when !follow: at the
  // end of what is there) or when on_line gives false.
  virtual Task<Result<void>> follow_logs(std::string container, int tail, bool follow,
                                         std::function<bool(std::string_view line)> on_line) = 0;

  // Runs a command in a running container and gives its exit code. on_line gets what it writes,
  // stdout and stderr in order. The Engine cannot end such a command: cancelled or cut off, this
  // leaves it running.
  virtual Task<Result<int>> exec(ExecRequest request,
                                 std::function<void(std::string_view line)> on_line) = 0;

  virtual Task<Result<void>> start(std::string container) = 0;
  virtual Task<Result<void>> stop(
      std::string container) = 0;  // its own stop grace; stopped is success
  virtual Task<Result<void>> restart(std::string container) = 0;
  // Sends a signal ("HUP") to the container's first process; conflict where it does not run.
  virtual Task<Result<void>> signal(std::string container, std::string signal) = 0;
  // It publishes no port and is removed in any case.
  virtual Task<Result<TrialEnd>> run_throwaway(ThrowawayRequest request) = 0;
  // What the container's processes use, without the page cache; bytes.
  virtual Task<Result<std::uint64_t>> memory_used(std::string container) = 0;
  // Removes a stopped container, never its volumes; gone is success.
  virtual Task<Result<void>> remove(std::string container) = 0;

  // Container events from now on (or since `since_nano`, the last one seen), until the stream
  // breaks: then unavailable. on_connected is called once the Engine has accepted the stream: what
  // is read after that call misses nothing.
  virtual Task<Result<void>> events(std::int64_t since_nano, std::function<void()> on_connected,
                                    std::function<void(const EngineEvent&)> on_event) = 0;
};

}  // namespace trimtab
