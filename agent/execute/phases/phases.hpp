// The phases of a deployment, one a file. Each looks at what is there and goes on from that, so
// that it may be begun again after it was cut off anywhere. The deployment outlives each call.
#pragma once

#include <vector>

#include "agent/execute/deployment.hpp"
#include "agent/execute/phase_machine.hpp"

namespace trimtab::phases {

Task<PhaseOutcome> pulling(Deployment& deployment);
// `before` and `after`: whichever the attempt is in.
Task<PhaseOutcome> hooks(Deployment& deployment, std::vector<HookSettings> hooks);
Task<PhaseOutcome> switching(Deployment& deployment);
Task<PhaseOutcome> starting(Deployment& deployment);
Task<PhaseOutcome> gating(Deployment& deployment);
Task<PhaseOutcome> committing(Deployment& deployment);
Task<PhaseOutcome> rolling_back(Deployment& deployment);
Task<PhaseOutcome> gating_rollback(Deployment& deployment);

}  // namespace trimtab::phases
