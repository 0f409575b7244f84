// The phases of a deployment, one per file. Each continues from what it observes, so that it may be
// begun again after it was cut off anywhere. The run outlives each call.
#pragma once

#include <vector>

#include "agent/execute/deployment_run.hpp"
#include "agent/execute/phase_machine.hpp"

namespace trimtab::phases {

Task<PhaseOutcome> pulling(DeploymentRun& run);
// For `before` and `after`, whichever phase the deployment is in.
Task<PhaseOutcome> hooks(DeploymentRun& run, std::vector<HookSettings> hooks);
Task<PhaseOutcome> switching(DeploymentRun& run);
Task<PhaseOutcome> starting(DeploymentRun& run);
Task<PhaseOutcome> gating(DeploymentRun& run);
Task<PhaseOutcome> committing(DeploymentRun& run);
Task<PhaseOutcome> rolling_back(DeploymentRun& run);
Task<PhaseOutcome> gating_rollback(DeploymentRun& run);

}  // namespace trimtab::phases
