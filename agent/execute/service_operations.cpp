#include "agent/execute/service_operations.hpp"

#include <algorithm>

#include "agent/execute/gate.hpp"
#include "agent/execute/operations.hpp"
#include "agent/execute/reloading.hpp"
#include "agent/model/service.hpp"
#include "agent/model/variable_contents.hpp"

namespace trimtab {

Task<Result<void>> ServiceOperations::remove(std::vector<std::string> services) {
  if (services.empty()) co_return Result<void>();
  const Result<ProjectContainers> found = co_await deps_.stack.found();
  if (!found) co_return found.error();
  const std::vector<Container> theirs = containers_of(found->own, services);
  for (const Container& container : theirs) {
    if (maker_of(container, found->signs) != Maker::trimtab) continue;
    const Result<void> stopped = co_await deps_.docker.stop(container.id);
    if (!stopped) co_return stopped;
    const Result<void> removed = co_await deps_.docker.remove(container.id);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

// A Compose that was killed while it replaced a container leaves the new one, never started, beside
// the old one, and would stumble over its name the next time.
Task<Result<void>> ServiceOperations::remove_half_made(std::vector<std::string> services) {
  const auto present = co_await deps_.stack.containers();
  if (!present) co_return present.error();
  const std::vector<Container> half = containers_of(half_made(*present), services);
  for (const Container& container : half) {
    const Result<void> removed = co_await deps_.docker.remove(container.id);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

// Starts only the named services: a plain `up` would rerun jobs and start containers that an
// operator stopped.
Task<Result<void>> ServiceOperations::apply(int number, std::vector<std::string> services,
                                            bool force_recreate) {
  const Result<void> tidied = co_await remove_half_made(services);
  if (!tidied) co_return tidied;
  const Result<Rendering> rendering = co_await deps_.stack.rendering(number);
  if (!rendering) co_return rendering.error();
  UpRequest request;
  request.file = deps_.store.compose_file(number);
  request.directory = deps_.settings.directory;
  request.project = deps_.project;
  request.force_recreate = force_recreate;
  request.variables = kept_values(rendering->model);
  // Compose waits until the services on which others depend are healthy.
  for (const std::string& service : services) {
    const auto check = health_check_of(rendering->service(service), nullptr);
    if (check) request.timeout += std::min(health_known_after(*check), max_health_wait);
  }
  request.services = std::move(services);
  co_return co_await deps_.compose.up(std::move(request));
}

Task<Result<void>> ServiceOperations::restart(std::vector<std::string> services) {
  const auto present = co_await deps_.stack.containers();
  if (!present) co_return present.error();
  for (const std::string& service : services) {
    const std::vector<Container> theirs = containers_of(*present, {service});
    for (const Container& container : theirs) {
      const Result<void> restarted = co_await deps_.docker.restart(container.id);
      if (!restarted) co_return restarted;
    }
  }
  co_return Result<void>();
}

Task<Result<void>> ServiceOperations::reload(int number, std::vector<std::string> services,
                                             std::set<std::string> with_new_files) {
  const Result<Rendering> rendering = co_await deps_.stack.rendering(number);
  if (!rendering) co_return rendering.error();
  const auto present = co_await deps_.stack.containers();
  if (!present) co_return present.error();
  const std::vector<Container> theirs = containers_of(*present, services);
  for (const Container& container : theirs) {
    const auto how = reload_of(rendering->service(container.service));
    if (!how || container.state != ContainerState::running) continue;
    const Result<void> reloaded = co_await reload_container(deps_.docker, container, *how);
    if (reloaded) continue;
    const bool by_files = with_new_files.contains(container.service);
    if (by_files || is_transient(reloaded.error().code)) co_return reloaded;
    deps_.progress.note(reloaded.error().text());
  }
  co_return Result<void>();
}

}  // namespace trimtab
