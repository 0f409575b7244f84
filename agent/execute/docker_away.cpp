#include "agent/execute/docker_away.hpp"

#include "agent/plan/diff.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

constexpr auto docker_patience = std::chrono::minutes(2);

// Ended although it ran on after the gate: Docker's stop has ended it, and not its work.
bool is_left_down(const Container& container, const Attempt& attempt) {
  const RunningService* const known = attempt.from.find(container.service);
  const bool ran_on = known != nullptr && !known->containers.empty() && !known->is_job;
  const bool stopped_by_docker =
      is_stopped_by_hand(container) || (container.state == ContainerState::exited && ran_on);
  return stopped_by_docker && !attempt.unwell.contains(container.service);
}

// As the reconciler does it while nothing is deployed.
Task<void> start_what_was_left_down(Deployment& deployment) {
  const ExecutorParts& parts = deployment.parts;
  const Result<ProjectContainers> found = co_await deployment.stack.found();
  const Result<Rendering> rendering =
      co_await deployment.stack.rendering(deployment.attempt.release);
  if (!found || !rendering) co_return;
  const std::vector<Container> present =
      without_hand_made_rest(found->own, found->signs, *rendering);
  for (const Container& container : present) {
    if (!is_left_down(container, deployment.attempt)) continue;
    parts.progress.remark(container.service + " did not come back with Docker: it is started");
    const Result<void> started = co_await parts.docker.restart(container.id);
    if (!started) spdlog::warn("{}: {}", parts.settings.name, started.error().text());
  }
}

}  // namespace

Task<bool> wait_for_docker(Deployment& deployment) {
  const SteadyClock::time_point deadline = SteadyClock::now() + docker_patience;
  while (!deployment.stop_requested && SteadyClock::now() < deadline) {
    const Result<EngineInfo> info = co_await deployment.parts.docker.info();
    if (info) {
      co_await start_what_was_left_down(deployment);
      co_return true;
    }
    const Result<void> slept = co_await sleep_for(std::chrono::seconds(1));
    if (!slept) co_return false;
  }
  co_return false;
}

}  // namespace trimtab
