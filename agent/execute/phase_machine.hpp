// The order of a deployment's phases. Pure: DeploymentRunner runs the phases, this decides.
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

// Returns the result of a phase that failed for this cause.
PhaseResult failed_by(FailureCause cause);

// How a deployment ended.
enum class DeploymentEnd {
  committed,
  rejected,   // the release failed before anything was touched
  postponed,  // the host failed before anything was touched: retried later
  superseded,
  rolled_back,
  failed,     // there is no fallback, or rolling back failed
  suspended,  // the host prevents rolling back: it stays in flight and is retried
};

// Whether the deployment may have changed containers.
[[nodiscard]] bool has_touched(DeploymentEnd end);

struct Next {
  std::optional<Phase> phase;        // to begin now
  std::optional<DeploymentEnd> end;  // else how it ended
  friend bool operator==(const Next&, const Next&) = default;
};

// A phase that has crashed the daemon this many times counts as failed, so that a crash loop ends.
inline constexpr int max_phase_attempts = 3;

// Facts that stay the same throughout a deployment.
struct DeploymentPolicy {
  bool fallback = false;   // there is a release to go back to
  bool automatic = false;  // failures roll back by themselves
  bool before = false;     // there are hooks to run before, and after
  bool after = false;
};

// Returns the phase, or the end, that follows `phase` if it ended with `result`.
Next next_phase(Phase phase, PhaseResult result, DeploymentPolicy policy);

// Returns how to resume a deployment that was in `phase`, begun `phase_attempts` times, when the
// daemon started.
Next resume_phase(Phase phase, int phase_attempts, DeploymentPolicy policy);

}  // namespace trimtab
