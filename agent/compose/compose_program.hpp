// Compose implemented with its own program: the plugin `docker compose`, or docker-compose 1.29.2.
#pragma once

#include <string>

#include "agent/compose/compose.hpp"
#include "common/process.hpp"

namespace trimtab {

// Detects this host's Compose: `docker compose` (2.x) first, then `docker-compose`. not_found, with
// what to install, if there is none or only one that is too old. unavailable if one is installed
// but does not report its version at the moment; the other one is not used then.
Task<Result<ComposeTool>> find_compose(std::string docker_socket);

// More than 15 members: it implements all calls of Compose on one found program.
class ComposeProgram final : public Compose {
 public:
  // `docker_socket`: path of the Engine's Unix socket. `empty_file`: an existing empty file, passed
  // as env file to `up` so that a .env in the project's directory cannot change what was rendered.
  ComposeProgram(std::string docker_socket, std::filesystem::path empty_file);

  [[nodiscard]] const ComposeTool& tool() const override { return tool_; }
  Task<Result<void>> refresh() override;
  [[nodiscard]] const std::optional<Error>& problem() const override { return problem_; }
  Task<Result<Rendered>> render(RenderRequest request) override;
  Task<Result<void>> up(UpRequest request) override;
  Task<Result<RunEnd>> run_once(RunRequest request) override;

 private:
  std::optional<Error> obstacle_to(const ComposeTool& found);
  [[nodiscard]] Command command() const;

  ComposeTool tool_;
  std::vector<std::string> argv_;  // with which it is run: tool_.argv, or the plugin's own program
  std::string programs_;           // as of the last detection, see present_programs()
  std::optional<Error> problem_;
  // Set while the tool found differs from tool_.
  std::optional<SteadyClock::time_point> gone_since_;
  SteadyClock::time_point backoff_until_{};
  std::chrono::seconds pause_{0};
  std::string docker_socket_;
  std::filesystem::path empty_file_;
};

}  // namespace trimtab
