#include "agent/execute/docker_away.hpp"

#include "agent/plan/diff.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

constexpr auto docker_timeout = std::chrono::minutes(2);

// Whether Docker's stop ended the container rather than its own work: it has exited although it
// kept running after the gate.
bool is_left_down(const Container& container, const Deployment& deployment) {
  const RunningService* const known = deployment.from.find(container.service);
  const bool ran_on = known != nullptr && !known->containers.empty() && !known->is_job;
  const bool stopped_by_docker =
      is_stopped_manually(container) || (container.state == ContainerState::exited && ran_on);
  return stopped_by_docker && !deployment.already_failing.contains(container.service);
}

// As the reconciler does while nothing is being deployed.
Task<void> start_what_was_left_down(DeploymentRun& run) {
  const DeploymentDeps& deps = run.deps;
  const Result<ProjectContainers> found = co_await run.stack.found();
  const Result<Rendering> rendering = co_await run.stack.rendering(run.deployment.release);
  if (!found || !rendering) co_return;
  const std::vector<Container> present =
      without_hand_made_rest(found->own, found->signs, *rendering);
  for (const Container& container : present) {
    if (!is_left_down(container, run.deployment)) continue;
    deps.progress.note(container.service + " was not restarted by Docker: starting it");
    const Result<void> started = co_await deps.docker.restart(container.id);
    if (!started) spdlog::warn("{}: {}", deps.settings.name, started.error().text());
  }
}

}  // namespace

Task<bool> wait_for_docker(DeploymentRun& run) {
  const SteadyClock::time_point deadline = SteadyClock::now() + docker_timeout;
  while (!run.stop_requested && SteadyClock::now() < deadline) {
    const Result<EngineInfo> info = co_await run.deps.docker.info();
    if (info) {
      co_await start_what_was_left_down(run);
      co_return true;
    }
    const Result<void> slept = co_await sleep_for(std::chrono::seconds(1));
    if (!slept) co_return false;
  }
  co_return false;
}

}  // namespace trimtab
