// Runs a deployment phase by phase, as phase_machine.hpp decides. Each phase is recorded before its
// effects, and each effect is safe to repeat. The phases themselves are in phases/.
#pragma once

#include <optional>

#include "agent/execute/deployment_run.hpp"
#include "agent/execute/phase_machine.hpp"
#include "agent/plan/diff.hpp"

namespace trimtab {

struct DeploymentResult {
  DeploymentEnd end = DeploymentEnd::committed;
  std::optional<Failure> failure;
  // Why the end is not recorded: record_end() is to be called again, and nothing else begun until
  // it is. By its record the deployment is in flight until then.
  std::optional<Error> unrecorded;
};

// More than 15 members: the steps around a phase work on one deployment.
class DeploymentRunner {
 public:
  DeploymentRunner(DeploymentDeps deps, RunnerCallbacks hooks) : run_(deps, std::move(hooks)) {}

  // Runs the deployment to its end. `resumed`: it was in flight when the daemon started. Returns
  // nothing if request_stop() ended it between two phases: its record keeps it for the next start.
  // `workspace` outlives the call.
  Task<std::optional<DeploymentResult>> run(WorkspaceLock& workspace, Deployment deployment,
                                            bool resumed);
  // Records how the deployment ended, or that it is suspended, if run() could not write it.
  Task<Result<void>> record_end();

  void request_stop();
  // Whether being cancelled now leaves nothing half done.
  [[nodiscard]] bool may_be_interrupted() const;

 private:
  Task<std::optional<DeploymentResult>> run_phases(Deployment deployment, bool resumed);
  Task<void> discount_stopped_attempt();
  Next resume(DeploymentPolicy policy);
  // Journals the phase. Fails if it must not be begun.
  Task<Result<void>> begin(Phase phase);
  Task<PhaseOutcome> run_phase(Phase phase);
  // The phase from its beginning to the end of its entry in the timeline.
  Task<PhaseOutcome> go_through(Phase phase);
  // Whether the same phase is begun again, since Docker was away and is back.
  Task<bool> is_to_be_repeated(Phase phase, PhaseOutcome outcome);
  void note_failure(Failure failure);
  Task<DeploymentResult> suspend(std::optional<Failure> failure);
  Task<void> save_or_warn();
  // Records the running set again, which could not be recorded when the deployment ended.
  Task<void> note_again();

  DeploymentRun run_;
  std::optional<DeploymentEnd> end_;
  int losses_of_docker_ = 0;  // in this phase
};

}  // namespace trimtab
