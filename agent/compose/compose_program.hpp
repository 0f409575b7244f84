// Compose by its own program: the plugin `docker compose`, or docker-compose 1.29.2.
#pragma once

#include <string>

#include "agent/compose/compose.hpp"

namespace trimtab {

// Which Compose this host has: `docker compose` (2.x) first, then `docker-compose`. not_found, with
// what to install, where there is none or only one that is too old.
Task<Result<ComposeTool>> find_compose(std::string docker_socket);

class ComposeProgram final : public Compose {
 public:
  // `docker_socket`: path of the Engine's Unix socket. `empty_file`: an existing empty file, given
  // as env file to `up`, so that a .env beside the project cannot change what was rendered.
  ComposeProgram(std::string docker_socket, std::filesystem::path empty_file);

  // Before anything else is asked of it.
  void use(ComposeTool tool) { tool_ = std::move(tool); }

  [[nodiscard]] const ComposeTool& tool() const override { return tool_; }
  Task<Result<Rendered>> render(RenderRequest request) override;
  Task<Result<void>> up(UpRequest request) override;
  Task<Result<RunEnd>> run_once(RunRequest request) override;

 private:
  ComposeTool tool_;
  std::string docker_socket_;
  std::filesystem::path empty_file_;
};

}  // namespace trimtab
