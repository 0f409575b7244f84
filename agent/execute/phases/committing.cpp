#include "agent/execute/phases/phases.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/execute/service_operations.hpp"
#include "common/log.hpp"

namespace trimtab::phases {

Task<PhaseOutcome> committing(Deployment& deployment) {
  const ExecutorParts& parts = deployment.parts;
  const Attempt& attempt = deployment.attempt;
  ServiceOperations operations({parts.settings, parts.project, parts.store, parts.docker,
                                parts.compose, parts.progress, deployment.stack});
  std::vector<std::string> leaving = attempt.plan.with(Action::remove);
  const Result<void> removed = co_await operations.remove(std::move(leaving));
  deployment.noted = co_await note_running(deployment, attempt.release, attempt.plan);
  if (!removed) {
    spdlog::warn("{}: release {} works, but cleaning up after it failed: {}", parts.settings.name,
                 attempt.release, removed.error().text());
  }
  PhaseOutcome outcome;
  for (const Result<void>& result : {removed, *deployment.noted}) {
    if (result) continue;
    outcome.result = PhaseResult::failed_by_world;
    const bool full = result.error().code == Errc::no_space;
    outcome.docker_lost = outcome.docker_lost || (is_transient(result.error().code) && !full);
  }
  co_return outcome;
}

}  // namespace trimtab::phases
