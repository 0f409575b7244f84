#include "agent/execute/phase_machine.hpp"

namespace trimtab {
namespace {

Next begin(Phase phase) {
  return Next{phase, std::nullopt};
}
Next end(AttemptEnd how) {
  return Next{std::nullopt, how};
}

Next give_up_forward(bool fallback, bool automatic) {
  return fallback && automatic ? begin(Phase::rolling_back) : end(AttemptEnd::failed);
}

}  // namespace

Next next_phase(Phase phase, PhaseResult result, bool fallback, bool automatic) {
  const bool done = result == PhaseResult::done;
  switch (phase) {
    case Phase::pulling:
      if (done) return begin(Phase::switching);
      if (result == PhaseResult::superseded) return end(AttemptEnd::superseded);
      return end(result == PhaseResult::failed_by_content ? AttemptEnd::rejected
                                                          : AttemptEnd::postponed);
    case Phase::switching:
      return done ? begin(Phase::starting) : give_up_forward(fallback, automatic);
    case Phase::starting:
      return done ? begin(Phase::gating) : give_up_forward(fallback, automatic);
    case Phase::gating:
      return done ? begin(Phase::committing) : give_up_forward(fallback, automatic);
    case Phase::committing:
      // The release works; what is left over shows as drift.
      return end(AttemptEnd::committed);
    case Phase::rolling_back:
      return done ? begin(Phase::gating_rollback) : end(AttemptEnd::failed);
    case Phase::gating_rollback:
      return end(done ? AttemptEnd::rolled_back : AttemptEnd::failed);
  }
  return end(AttemptEnd::failed);
}

Next resume_phase(Phase phase, int entries, bool fallback, bool automatic) {
  const bool going_back = phase == Phase::rolling_back || phase == Phase::gating_rollback;
  if (going_back && !fallback) return end(AttemptEnd::failed);
  if (entries < max_phase_entries) return begin(phase);
  return next_phase(phase, PhaseResult::failed_by_world, fallback, automatic);
}

}  // namespace trimtab
