// The seam to Docker Compose: rendering a project and applying a rendered one.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/async.hpp"
#include "common/json.hpp"

namespace trimtab {

// 1: docker-compose 1.29.2 (Python). 2: `docker compose` 2.x and newer, plugin or standalone. One
// cannot read what the other renders.
enum class ComposeFamily { v1 = 1, v2 = 2 };

struct ComposeTool {
  ComposeFamily family = ComposeFamily::v2;
  std::string version;                        // "2.26.1"
  std::vector<std::string> argv;              // {"docker", "compose"} or {"docker-compose"}
  [[nodiscard]] std::string display() const;  // "docker compose 2.26.1"
};

struct RenderRequest {
  std::filesystem::path directory;  // the staged checkout
  std::filesystem::path root;       // that stands for "/" in its path: not shown to people
  // Relative to it. Paths in them are relative to the folder of the first, as to Compose.
  std::vector<std::string> files;
  std::vector<std::string> profiles;
  std::string env_file;  // relative; "" : none
  std::string project;
  std::string commit;  // its full id, which the files may use as ${TRIMTAB_COMMIT}
};

struct Rendered {
  Json model;                                // as `config` prints it, `$` doubled
  std::vector<std::string> unset_variables;  // used by the file, set nowhere
  std::vector<std::string> warnings;         // the rest of what Compose warned of
};

struct UpRequest {
  std::filesystem::path file;       // a rendered file
  std::filesystem::path directory;  // the live directory, constant for the stack
  std::string project;
  std::vector<std::string> services;  // never empty: only these
  // Replaces containers also where Compose sees no difference: it does not look into the files of
  // secrets and configs.
  bool force_recreate = false;
  // For one service: what is there stays as it is, and new containers are added up to this many.
  std::optional<int> add_up_to;
  SteadyClock::duration timeout = std::chrono::minutes(15);
};

struct RunRequest {
  std::filesystem::path file;       // a rendered file
  std::filesystem::path directory;  // the live directory, constant for the stack
  std::string project;
  std::string service;
  std::string container;  // the name that its container gets
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // besides the service's own
  SteadyClock::duration timeout = std::chrono::minutes(5);
};

struct RunEnd {
  int exit_code = 0;
  std::string output;  // its last bytes, standard output first
};

class Compose {
 public:
  virtual ~Compose() = default;
  // As refresh() has found it last; without a version before that.
  [[nodiscard]] virtual const ComposeTool& tool() const = 0;
  // Finds out which Compose this host has, if that is not known or its program was replaced; else
  // it costs nothing. not_found, with what to install, where there is none; unavailable where it
  // could not be asked, which may be cured by itself.
  virtual Task<Result<void>> refresh() = 0;
  // Why refresh() has failed last.
  [[nodiscard]] virtual const std::optional<Error>& problem() const = 0;
  // invalid, with words for people, where the project does not parse.
  virtual Task<Result<Rendered>> render(RenderRequest request) = 0;
  // Creates or replaces and starts the named services, nothing else. failed with Compose's last
  // words where it said so; what really runs must be observed in either case.
  virtual Task<Result<void>> up(UpRequest request) = 0;
  // Runs a command in a container of its own, which is like the service's but for its ports and
  // goes when it has ended. timed_out, or cancelled, may leave that container.
  virtual Task<Result<RunEnd>> run_once(RunRequest request) = 0;
};

}  // namespace trimtab
