#include "agent/execute/phase_machine.hpp"

namespace trimtab {
namespace {

Next begin(Phase phase) {
  return Next{phase, std::nullopt};
}
Next end(AttemptEnd how) {
  return Next{std::nullopt, how};
}

Next give_up_back(PhaseResult result) {
  return end(result == PhaseResult::failed_by_world ? AttemptEnd::suspended : AttemptEnd::failed);
}

Next give_up_forward(Course course) {
  return course.fallback && course.automatic ? begin(Phase::rolling_back) : end(AttemptEnd::failed);
}

}  // namespace

PhaseResult failed_by(FailureClass cls) {
  return cls == FailureClass::content ? PhaseResult::failed_by_content
                                      : PhaseResult::failed_by_world;
}

Next next_phase(Phase phase, PhaseResult result, Course course) {
  const bool done = result == PhaseResult::done;
  switch (phase) {
    case Phase::pulling:
      if (done) return begin(course.before ? Phase::before : Phase::switching);
      if (result == PhaseResult::superseded) return end(AttemptEnd::superseded);
      return end(result == PhaseResult::failed_by_content ? AttemptEnd::rejected
                                                          : AttemptEnd::postponed);
    case Phase::before:
      if (done) return begin(Phase::switching);
      return end(result == PhaseResult::failed_by_content ? AttemptEnd::rejected
                                                          : AttemptEnd::postponed);
    case Phase::switching:
      return done ? begin(Phase::starting) : give_up_forward(course);
    case Phase::starting:
      return done ? begin(Phase::gating) : give_up_forward(course);
    case Phase::gating:
      return done ? begin(Phase::committing) : give_up_forward(course);
    case Phase::committing:
      // The release works; what is left over shows as drift.
      return course.after ? begin(Phase::after) : end(AttemptEnd::committed);
    case Phase::after:
      return end(AttemptEnd::committed);
    case Phase::rolling_back:
      return done ? begin(Phase::gating_rollback) : give_up_back(result);
    case Phase::gating_rollback:
      return done ? end(AttemptEnd::rolled_back) : give_up_back(result);
  }
  return end(AttemptEnd::failed);
}

Next resume_phase(Phase phase, int entries, Course course) {
  const bool going_back = phase == Phase::rolling_back || phase == Phase::gating_rollback;
  if (going_back && !course.fallback) return end(AttemptEnd::failed);
  if (entries < max_phase_entries) return begin(phase);
  if (going_back) return end(AttemptEnd::failed);
  return next_phase(phase, PhaseResult::failed_by_world, course);
}

}  // namespace trimtab
