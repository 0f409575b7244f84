// The interface to Docker Compose: renders a project and applies a rendered one.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/async.hpp"
#include "common/json.hpp"

namespace trimtab {

// v1: docker-compose 1.29.2 (Python). v2: `docker compose` 2.x and newer, as plugin or standalone.
// Neither can read what the other renders.
enum class ComposeFamily { v1 = 1, v2 = 2 };

struct ComposeTool {
  ComposeFamily family = ComposeFamily::v2;
  std::string version;                        // "2.26.1"
  std::vector<std::string> argv;              // {"docker", "compose"} or {"docker-compose"}
  [[nodiscard]] std::string display() const;  // "docker compose 2.26.1"
};

struct RenderRequest {
  std::filesystem::path directory;  // staged checkout
  std::filesystem::path root;  // stands for "/" in the path of `directory`; hidden from messages
  // Relative to `directory`. Like Compose, resolves paths in them relative to the first file's
  // directory.
  std::vector<std::string> files;
  std::vector<std::string> profiles;
  std::string env_file;  // relative to `directory`; "": none
  std::string project;
  std::string commit;  // full commit id, available to the files as ${TRIMTAB_COMMIT}
};

struct Rendered {
  Json model;                                // output of `config`, with `$` doubled
  std::vector<std::string> unset_variables;  // used in a file but not set anywhere
  std::vector<std::string> warnings;         // Compose's other warnings
};

struct UpRequest {
  std::filesystem::path file;       // a rendered file
  std::filesystem::path directory;  // live directory, constant for the stack
  std::string project;
  std::vector<std::string> services;  // the services to start; never empty
  // Replaces containers even if Compose sees no difference, since Compose does not compare the
  // contents of secret and config files.
  bool force_recreate = false;
  // For one service only: keeps existing containers and adds new ones up to this total.
  std::optional<int> add_up_to;
  std::map<std::string, std::string> variables;  // whose values are contents of secrets or configs
  SteadyClock::duration timeout = std::chrono::minutes(15);
};

struct RunRequest {
  std::filesystem::path file;       // a rendered file
  std::filesystem::path directory;  // live directory, constant for the stack
  std::string project;
  std::string service;
  std::string container;  // name of the container to create
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // in addition to the service's own
  std::map<std::string, std::string> variables;    // as of UpRequest
  SteadyClock::duration timeout = std::chrono::minutes(5);
};

struct RunEnd {
  int exit_code = 0;
  std::string output;  // last bytes of the output, standard output first
};

class Compose {
 public:
  virtual ~Compose() = default;
  // The tool found by the last refresh(); has no version before the first.
  [[nodiscard]] virtual const ComposeTool& tool() const = 0;
  // Detects this host's Compose, if it is not known yet or its program was replaced; otherwise
  // free. not_found, with what to install, if there is none; unavailable if it could not be
  // queried, which may be temporary.
  virtual Task<Result<void>> refresh() = 0;
  // Why the last refresh() failed; none if it succeeded.
  [[nodiscard]] virtual const std::optional<Error>& problem() const = 0;
  // invalid, with a message for the user, if the project does not parse.
  virtual Task<Result<Rendered>> render(RenderRequest request) = 0;
  // Creates or replaces and starts the named services and nothing else. failed, with the end of
  // Compose's output, if Compose reported a failure. In both cases only the Engine can tell what is
  // running now.
  virtual Task<Result<void>> up(UpRequest request) = 0;
  // Runs a command in a container of its own, which is configured like the service's but without
  // ports and is removed afterwards. If it is cancelled or times out, that container may be left.
  virtual Task<Result<RunEnd>> run_once(RunRequest request) = 0;
};

}  // namespace trimtab
