#include "agent/execute/phases/phases.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/execute/service_operations.hpp"
#include "common/log.hpp"

namespace trimtab::phases {

Task<PhaseOutcome> committing(DeploymentRun& run) {
  const DeploymentDeps& deps = run.deps;
  const Deployment& deployment = run.deployment;
  ServiceOperations operations({deps.settings, deps.project, deps.store, deps.docker, deps.compose,
                                deps.progress, run.stack});
  std::vector<std::string> outgoing = deployment.plan.with(Action::remove);
  const Result<void> removed = co_await operations.remove(std::move(outgoing));
  run.noted = co_await note_running(run, deployment.release, deployment.plan);
  if (!removed) {
    spdlog::warn("{}: release {} works, but cleaning up after it failed: {}", deps.settings.name,
                 deployment.release, removed.error().text());
  }
  PhaseOutcome outcome;
  for (const Result<void>& result : {removed, *run.noted}) {
    if (result) continue;
    outcome.result = PhaseResult::failed_by_host;
    outcome.docker_lost = outcome.docker_lost || is_docker_away(result);
  }
  co_return outcome;
}

}  // namespace trimtab::phases
