#include "agent/host_services.hpp"

#include <fmt/core.h>

#include "agent/config/load.hpp"
#include "common/log.hpp"

namespace trimtab {

HostServices::HostServices(asio::any_io_executor executor, const DaemonSettings& settings,
                           const std::filesystem::path& empty_file,
                           const std::optional<SystemdOptions>& systemd, Callbacks callbacks) {
  const std::filesystem::path& socket = settings.docker.socket;
  DockerEngine::MayConnect may_connect;
  if (systemd) {
    units_ = std::make_unique<SystemdUnits>(executor, *systemd);
    const bool socket_of_service = socket == "/run/docker.sock" || socket == "/var/run/docker.sock";
    if (socket_of_service) {
      may_connect = [this] { return may_connect_to_docker(); };
    }
  } else {
    spdlog::info("systemd does not run here: no unit boots the stacks");
  }
  docker_ = std::make_unique<DockerEngine>(socket.string(), std::move(may_connect));
  registry_ = std::make_unique<RegistryClient>(RegistryClientOptions{
      settings.docker.config, "/etc/docker/certs.d", settings.registries, proxies_of(settings)});
  compose_ = std::make_unique<ComposeProgram>(socket.string(), empty_file);
  const auto on_connected = [this, changed = callbacks.on_engine_change] {
    registry_->follow(engine_->engine()->registries);
    changed();
  };
  engine_ =
      std::make_unique<EngineWatcher>(executor, *docker_, std::move(callbacks.on_engine_event),
                                      on_connected, callbacks.on_engine_change);
  if (units_) {
    units_->watch(docker_unit, [this](const std::string& active) {
      docker_is_active_ = active == "active";
      if (docker_is_active_) engine_->poll_now();
    });
  }
}

// Connecting to the socket of a Docker that an operator stopped would start it again.
Task<Result<void>> HostServices::may_connect_to_docker() {
  if (docker_is_active_) co_return Result<void>();
  const Result<UnitState> state = co_await units_->state(docker_unit);
  // In an unknown state Docker may be stopped.
  if (!state) co_return state.error();
  if (state->load != "loaded") co_return Result<void>();
  docker_is_active_ = state->active == "active";
  const bool down = state->active == "inactive" || state->active == "failed";
  const bool stopped = state->active == "deactivating" || (down && !state->has_job);
  if (!stopped) co_return Result<void>();
  co_return Error{Errc::unavailable,
                  fmt::format("Docker is stopped (docker.service is {})", state->active),
                  "`systemctl start docker` starts it"};
}

}  // namespace trimtab
