// What comes after what in a run. Pure: the executor performs, this decides.
#pragma once

#include <optional>

#include "agent/model/deployment.hpp"

namespace trimtab {

// How a phase ended.
enum class PhaseResult {
  done,
  failed_by_release,  // the release is at fault
  failed_by_host,     // network, registry, Docker, disk, memory, a throttled CPU
  superseded,         // a newer candidate is known, and nothing was touched yet
};

// How a phase ended, and why.
struct PhaseOutcome {
  PhaseResult result = PhaseResult::done;
  bool docker_lost = false;  // worth beginning the same phase again once Docker is back
  std::optional<Failure> failure;
};

// Whose fault a failure is, as a result.
PhaseResult failed_by(FailureCause cause);

// How a deployment ended.
enum class DeploymentEnd {
  committed,
  rejected,   // by content, before anything was touched
  postponed,  // by the world, before anything was touched: to be tried again
  superseded,
  rolled_back,
  failed,     // nothing to go back to, or going back failed
  suspended,  // the host prevents going back: it stays in flight, to be tried again
};

struct Next {
  std::optional<Phase> phase;        // to begin now
  std::optional<DeploymentEnd> end;  // else how it ended
  friend bool operator==(const Next&, const Next&) = default;
};

// A phase is begun at most this often: after so many crashes in it, it counts as failed.
inline constexpr int max_phase_attempts = 3;

// What does not change while a deployment goes on.
struct DeploymentPolicy {
  bool fallback = false;   // there is a release to go back to
  bool automatic = false;  // failures roll back by themselves
  bool before = false;     // there are hooks to run before, and after
  bool after = false;
};

// After `phase` ended with `result`.
Next next_phase(Phase phase, PhaseResult result, DeploymentPolicy policy);

// After a start of the daemon found the deployment in `phase`, begun `phase_attempts` times
// already.
Next resume_phase(Phase phase, int phase_attempts, DeploymentPolicy policy);

}  // namespace trimtab
