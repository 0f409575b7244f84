#include "agent/execute/phase_machine.hpp"

namespace trimtab {
namespace {

Next begin(Phase phase) {
  return Next{phase, std::nullopt};
}
Next end(DeploymentEnd how) {
  return Next{std::nullopt, how};
}

Next give_up_back(PhaseResult result) {
  return end(result == PhaseResult::failed_by_host ? DeploymentEnd::suspended
                                                   : DeploymentEnd::failed);
}

Next give_up_forward(DeploymentPolicy policy) {
  return policy.fallback && policy.automatic ? begin(Phase::rolling_back)
                                             : end(DeploymentEnd::failed);
}

}  // namespace

bool has_touched(DeploymentEnd end) {
  return end != DeploymentEnd::rejected && end != DeploymentEnd::postponed &&
         end != DeploymentEnd::superseded;
}

PhaseResult failed_by(FailureCause cause) {
  return cause == FailureCause::release ? PhaseResult::failed_by_release
                                        : PhaseResult::failed_by_host;
}

Next next_phase(Phase phase, PhaseResult result, DeploymentPolicy policy) {
  const bool done = result == PhaseResult::done;
  switch (phase) {
    case Phase::pulling:
      if (done) return begin(policy.before ? Phase::before : Phase::switching);
      if (result == PhaseResult::superseded) return end(DeploymentEnd::superseded);
      return end(result == PhaseResult::failed_by_release ? DeploymentEnd::rejected
                                                          : DeploymentEnd::postponed);
    case Phase::before:
      if (done) return begin(Phase::switching);
      return end(result == PhaseResult::failed_by_release ? DeploymentEnd::rejected
                                                          : DeploymentEnd::postponed);
    case Phase::switching:
      return done ? begin(Phase::starting) : give_up_forward(policy);
    case Phase::starting:
      return done ? begin(Phase::gating) : give_up_forward(policy);
    case Phase::gating:
      return done ? begin(Phase::committing) : give_up_forward(policy);
    case Phase::committing:
      // The release works; anything left over is reported as drift.
      return policy.after ? begin(Phase::after) : end(DeploymentEnd::committed);
    case Phase::after:
      return end(DeploymentEnd::committed);
    case Phase::rolling_back:
      return done ? begin(Phase::gating_rollback) : give_up_back(result);
    case Phase::gating_rollback:
      return done ? end(DeploymentEnd::rolled_back) : give_up_back(result);
  }
  return end(DeploymentEnd::failed);
}

Next resume_phase(Phase phase, int phase_attempts, DeploymentPolicy policy) {
  const bool going_back = phase == Phase::rolling_back || phase == Phase::gating_rollback;
  if (going_back && !policy.fallback) return end(DeploymentEnd::failed);
  if (phase_attempts < max_phase_attempts) return begin(phase);
  if (going_back) return end(DeploymentEnd::failed);
  return next_phase(phase, PhaseResult::failed_by_host, policy);
}

}  // namespace trimtab
