#include "agent/execute/executor.hpp"

#include "agent/execute/docker_away.hpp"
#include "agent/execute/end_record.hpp"
#include "agent/execute/failure_report.hpp"
#include "agent/execute/hook_runner.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/execute/phases/new_files.hpp"
#include "agent/execute/phases/phases.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

std::string failpoint_name(Phase phase, const char* moment) {
  return std::string(to_string(phase)) + ":" + moment;
}

Course course_of(const Attempt& attempt, const StackSettings& settings) {
  Course course;
  course.fallback = attempt.fallback != 0;
  course.automatic = settings.rollback == RollbackMode::automatic;
  // Where nothing is started anew there is nothing to prepare, and an operator who goes back wants
  // to be back at once.
  const bool is_new = attempt.kind == AttemptKind::deploy || attempt.kind == AttemptKind::repair;
  const bool hooked = is_new && !attempt.plan.empty();
  course.before = hooked && !settings.hooks.before.empty();
  course.after = hooked && !settings.hooks.after.empty();
  return course;
}

// What a kill left of the attempt before.
Task<void> tidy(Deployment& deployment) {
  const ExecutorParts& parts = deployment.parts;
  std::string mark = std::exchange(deployment.attempt.hook_mark, {});
  co_await end_hook(parts.docker, parts.settings, std::move(mark));
  co_await phases::end_trials(parts.docker, parts.settings);
}

}  // namespace

void Executor::save_or_warn() {
  const Result<void> written = deployment_.parts.store.save(deployment_.attempt);
  if (!written) spdlog::warn("{}: {}", deployment_.parts.settings.name, written.error().text());
}

void Executor::request_stop() {
  // A unit that stops says so twice.
  if (std::exchange(deployment_.stop_requested, true)) return;
  deployment_.parts.engine_changed.notify();
  // An orderly stop in the middle of a phase is no sign of a crash loop.
  Attempt& attempt = deployment_.attempt;
  if (attempt.entries == 0 || !deployment_.parts.store.attempt()) return;
  --attempt.entries;
  save_or_warn();
}

bool Executor::may_be_interrupted() const {
  switch (deployment_.attempt.phase) {
    case Phase::pulling:
    case Phase::before:
    case Phase::gating:
    case Phase::after:
    case Phase::gating_rollback:
      return true;
    case Phase::switching:
    case Phase::starting:
    case Phase::committing:
    case Phase::rolling_back:
      return false;
  }
  return false;
}

// What makes the daemon end each time must not be tried for ever.
Next Executor::resume(Course course) {
  const Attempt& attempt = deployment_.attempt;
  const Next next = resume_phase(attempt.phase, attempt.entries, course);
  if (next.phase == attempt.phase) return next;
  Failure failure;
  failure.phase = to_string(attempt.phase);
  failure.reason =
      "trimtabd was killed " + std::to_string(attempt.entries) + " times in phase " + failure.phase;
  failure.hint = "its log, and the kernel's (out of memory?), may say why";
  note_failure(std::move(failure));
  return next;
}

Task<std::optional<AttemptResult>> Executor::run(Attempt attempt, bool resumed) {
  deployment_.attempt = std::move(attempt);
  if (deployment_.attempt.id == 0) {
    deployment_.attempt.id = deployment_.parts.store.next_deployment();
  }
  co_await tidy(deployment_);
  const Course course = course_of(deployment_.attempt, deployment_.parts.settings);
  Next next{deployment_.attempt.phase, std::nullopt};
  if (resumed) next = resume(course);
  while (next.phase) {
    if (deployment_.stop_requested) co_return std::nullopt;
    const Phase phase = *next.phase;
    PhaseOutcome outcome = co_await go_through(phase);
    // Being stopped is no verdict on the release: the next start begins this phase again.
    const bool done = outcome.result == PhaseResult::done;
    if (deployment_.stop_requested && !done) co_return std::nullopt;
    const bool again = co_await is_to_be_repeated(phase, outcome);
    if (again) continue;
    next = next_phase(phase, outcome.result, course);
    if (next.end == AttemptEnd::suspended) co_return suspend(std::move(outcome.failure));
    if (outcome.failure) note_failure(std::move(*outcome.failure));
    // The first that changes anything.
    if (next.phase == Phase::switching && deployment_.hooks.paused()) {
      note_failure(failure_of_pause(deployment_.parts.settings, phase));
      next = Next{std::nullopt, AttemptEnd::postponed};
    }
  }
  end_ = *next.end;
  AttemptResult result{*end_, deployment_.attempt.failure, std::nullopt};
  const Result<void> recorded = co_await record_end();
  if (!recorded) result.unrecorded = recorded.error();
  co_return result;
}

Task<PhaseOutcome> Executor::go_through(Phase phase) {
  const SteadyClock::time_point begun = SteadyClock::now();
  PhaseOutcome outcome;
  const Result<void> recorded = begin(phase);
  if (recorded) {
    failpoint(failpoint_name(phase, "begun"));
    outcome = co_await perform(phase);
    failpoint(failpoint_name(phase, "performed"));
    if (deployment_.stop_requested && outcome.result != PhaseResult::done) co_return outcome;
  } else {
    outcome.result = PhaseResult::failed_by_world;
    outcome.failure = failure_of(phase, recorded.error(), FailureClass::world);
  }
  // Is written with the next phase, or with the end.
  const std::chrono::duration<double> lasted = SteadyClock::now() - begun;
  if (recorded) deployment_.attempt.timeline.back().seconds = lasted.count();
  co_return outcome;
}

Result<void> Executor::begin(Phase phase) {
  Attempt& attempt = deployment_.attempt;
  const ExecutorParts& parts = deployment_.parts;
  if (attempt.phase != phase) attempt.leaving.reset();
  attempt.entries = attempt.phase == phase ? attempt.entries + 1 : 1;
  attempt.phase = phase;
  attempt.timeline.push_back({std::string(to_string(phase)), wall_now(), std::nullopt});
  const Result<void> written = parts.store.save(attempt);
  // Nothing is touched yet.
  const bool may_wait =
      phase == Phase::pulling || phase == Phase::before || phase == Phase::switching;
  if (!written && may_wait) {
    attempt.timeline.pop_back();
    return written;
  }
  // Later, to stop half-way would be worse: a start that finds an earlier phase begins that again.
  if (!written) spdlog::warn("{}: {}", parts.settings.name, written.error().text());
  parts.progress.phase_begun(attempt);
  return {};
}

Task<PhaseOutcome> Executor::perform(Phase phase) {
  switch (phase) {
    case Phase::pulling:
      co_return co_await phases::pulling(deployment_);
    case Phase::before:
      co_return co_await phases::hooks(deployment_, deployment_.parts.settings.hooks.before);
    case Phase::switching:
      co_return co_await phases::switching(deployment_);
    case Phase::starting:
      co_return co_await phases::starting(deployment_);
    case Phase::gating:
      co_return co_await phases::gating(deployment_);
    case Phase::committing:
      co_return co_await phases::committing(deployment_);
    case Phase::after:
      co_return co_await phases::hooks(deployment_, deployment_.parts.settings.hooks.after);
    case Phase::rolling_back:
      co_return co_await phases::rolling_back(deployment_);
    case Phase::gating_rollback:
      co_return co_await phases::gating_rollback(deployment_);
  }
  co_return PhaseOutcome{};
}

Task<bool> Executor::is_to_be_repeated(Phase phase, PhaseOutcome outcome) {
  const bool may_be = outcome.docker_lost && phase != Phase::pulling &&
                      deployment_.attempt.entries < max_phase_entries;
  if (!may_be) co_return false;
  const std::string why = outcome.failure ? outcome.failure->reason : "Docker does not answer";
  deployment_.parts.progress.remark(why + ": " + std::string(to_string(phase)) +
                                    " is begun again once Docker answers");
  const bool back = co_await wait_for_docker(deployment_);
  co_return back || deployment_.stop_requested;
}

void Executor::note_failure(Failure failure) {
  hide_values(deployment_.hooks.values, failure);
  std::optional<Failure>& known = deployment_.attempt.failure;
  if (!known) {
    known = std::move(failure);
    return;
  }
  // While going back, why it goes back remains the more important reason.
  known->reason += "; going back failed too: " + failure.reason;
  known->services.insert(known->services.end(), failure.services.begin(), failure.services.end());
}

// The record keeps why it goes back, and the result tells why it cannot.
AttemptResult Executor::suspend(std::optional<Failure> failure) {
  // The next try begins with putting back what is missing by then.
  deployment_.attempt.phase = Phase::rolling_back;
  deployment_.attempt.entries = 0;
  deployment_.attempt.request.clear();
  save_or_warn();
  if (failure) note_failure(std::move(*failure));
  return AttemptResult{AttemptEnd::suspended, deployment_.attempt.failure, std::nullopt};
}

// --- the end

Task<Result<void>> Executor::record_end() {
  // A good release of which it is not known what runs would be taken for one that never ran.
  const bool is_noted = deployment_.noted && *deployment_.noted;
  if (*end_ == AttemptEnd::committed && !is_noted) {
    const PhaseOutcome outcome = co_await phases::committing(deployment_);
    static_cast<void>(outcome);
    if (!*deployment_.noted) co_return *deployment_.noted;
  }
  const ExecutorParts& parts = deployment_.parts;
  co_return write_end(parts.store, *end_, deployment_.attempt, parts.settings.gate.probation);
}

Result<void> Executor::give_up(Attempt attempt) {
  const ExecutorParts& parts = deployment_.parts;
  return write_end(parts.store, AttemptEnd::failed, attempt, parts.settings.gate.probation);
}

}  // namespace trimtab
