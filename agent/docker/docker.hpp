// The seam to the Docker Engine.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/login.hpp"
#include "agent/model/observed.hpp"
#include "common/async.hpp"

namespace trimtab {

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

  virtual Task<Result<void>> start(std::string container) = 0;
  virtual Task<Result<void>> stop(
      std::string container) = 0;  // its own stop grace; stopped is success
  virtual Task<Result<void>> restart(std::string container) = 0;
  // Removes a stopped container, never its volumes; gone is success.
  virtual Task<Result<void>> remove(std::string container) = 0;

  // Container events from now on (or since `since_nano`, the last one seen), until the stream
  // breaks: then unavailable. on_connected is called once the Engine has accepted the stream: what
  // is read after that call misses nothing.
  virtual Task<Result<void>> events(std::int64_t since_nano, std::function<void()> on_connected,
                                    std::function<void(const EngineEvent&)> on_event) = 0;
};

}  // namespace trimtab
