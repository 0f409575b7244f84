// What the daemon uses of its host: systemd, the Docker Engine, Compose and the registries.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "agent/compose/compose_program.hpp"
#include "agent/config/settings.hpp"
#include "agent/docker/docker_engine.hpp"
#include "agent/registry/registry_client.hpp"
#include "agent/sources/engine_watcher.hpp"
#include "agent/units/systemd_units.hpp"

namespace trimtab {

class HostServices {
 public:
  struct Callbacks {
    std::function<void(const EngineEvent&)> on_engine_event;
    // The Engine came back or went away: events may have been missed.
    std::function<void()> on_engine_change;
  };

  // Connects to nothing yet. `empty_file` is passed to Compose instead of a .env file; `systemd` is
  // empty if systemd does not manage this host.
  HostServices(asio::any_io_executor executor, const DaemonSettings& settings,
               const std::filesystem::path& empty_file,
               const std::optional<SystemdOptions>& systemd, Callbacks callbacks);
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;
  ~HostServices() = default;

  // Null if systemd does not manage this host.
  Units* units() { return units_.get(); }
  DockerEngine& docker() { return *docker_; }
  RegistryClient& registry() { return *registry_; }
  ComposeProgram& compose() { return *compose_; }
  EngineWatcher& engine() { return *engine_; }

 private:
  Task<Result<void>> may_connect_to_docker();

  std::unique_ptr<Units> units_;
  std::unique_ptr<DockerEngine> docker_;
  std::unique_ptr<RegistryClient> registry_;
  std::unique_ptr<ComposeProgram> compose_;
  std::unique_ptr<EngineWatcher> engine_;
  bool docker_is_active_ = false;  // docker.service, as last reported by systemd
};

}  // namespace trimtab
