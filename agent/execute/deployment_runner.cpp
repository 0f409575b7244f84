#include "agent/execute/deployment_runner.hpp"

#include <fmt/core.h>

#include "agent/execute/docker_away.hpp"
#include "agent/execute/end_record.hpp"
#include "agent/execute/failure_report.hpp"
#include "agent/execute/hook_runner.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/execute/phases/new_files.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/running_record.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "common/task_scope.hpp"

namespace trimtab {
namespace {

std::string failpoint_name(Phase phase, const char* moment) {
  return fmt::format("{}:{}", to_string(phase), moment);
}

DeploymentPolicy policy_of(const Deployment& deployment, const StackSettings& settings) {
  DeploymentPolicy policy;
  policy.fallback = deployment.fallback != 0;
  policy.automatic = settings.rollback == RollbackMode::automatic;
  // Hooks are skipped if nothing is started anew, since there is nothing to prepare, and for
  // rollbacks, since an operator who rolls back wants the old release immediately.
  const bool is_new =
      deployment.kind == DeploymentKind::deploy || deployment.kind == DeploymentKind::repair;
  const bool hooked = is_new && !deployment.plan.empty();
  policy.before = hooked && !settings.hooks.before.empty();
  policy.after = hooked && !settings.hooks.after.empty();
  return policy;
}

// Removes what a killed daemon left of this deployment's hooks and checks.
Task<void> tidy(DeploymentRun& run) {
  const DeploymentDeps& deps = run.deps;
  std::string mark = std::exchange(run.deployment.hook_mark, {});
  co_await end_hook(deps.docker, deps.settings, std::move(mark));
  co_await phases::end_trials(deps.docker, deps.settings);
}

}  // namespace

Task<void> DeploymentRunner::save_or_warn() {
  const Result<void> written = co_await run_.deps.store.save(run_.deployment);
  if (!written) spdlog::warn("{}: {}", run_.deps.settings.name, written.error().text());
}

void DeploymentRunner::request_stop() {
  // Called twice when the stack's unit is stopped.
  if (std::exchange(run_.stop_requested, true)) return;
  run_.deps.engine_changed.notify();
}

// An orderly stop in the middle of a phase must not count towards a crash loop.
Task<void> DeploymentRunner::discount_stopped_attempt() {
  Deployment& deployment = run_.deployment;
  const bool is_counted = deployment.phase_attempts > 0 && run_.deps.store.in_flight();
  if (!run_.stop_requested || !is_counted) co_return;
  --deployment.phase_attempts;
  co_await save_or_warn();
}

bool DeploymentRunner::may_be_interrupted() const {
  switch (run_.deployment.phase) {
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

// A phase that has crashed the daemon max_phase_attempts times counts as failed, so that a crash
// loop ends.
Next DeploymentRunner::resume(DeploymentPolicy policy) {
  const Deployment& deployment = run_.deployment;
  const Next next = resume_phase(deployment.phase, deployment.phase_attempts, policy);
  if (next.phase == deployment.phase) return next;
  Failure failure;
  failure.phase = to_string(deployment.phase);
  failure.reason = fmt::format("trimtabd was killed {} times in phase {}",
                               deployment.phase_attempts, failure.phase);
  failure.hint = "see its log and the kernel's log (out of memory?)";
  note_failure(std::move(failure));
  return next;
}

Task<std::optional<DeploymentResult>> DeploymentRunner::run(WorkspaceLock& workspace,
                                                            Deployment deployment, bool resumed) {
  run_.workspace = &workspace;
  std::optional<DeploymentResult> result;
  auto phases = run_phases(std::move(deployment), resumed);
  auto body = store_result(std::move(phases), &result);
  const std::function<Task<void>()> cleanup = [this] { return discount_stopped_attempt(); };
  auto whole = with_cleanup(std::move(body), cleanup);
  co_await std::move(whole);
  run_.workspace = nullptr;
  co_return result;
}

Task<std::optional<DeploymentResult>> DeploymentRunner::run_phases(Deployment deployment,
                                                                   bool resumed) {
  run_.deployment = std::move(deployment);
  if (run_.deployment.id == 0) {
    run_.deployment.id = run_.deps.store.next_deployment();
  }
  co_await tidy(run_);
  const DeploymentPolicy policy = policy_of(run_.deployment, run_.deps.settings);
  Next next{run_.deployment.phase, std::nullopt};
  if (resumed) next = resume(policy);
  while (next.phase) {
    if (run_.stop_requested) co_return std::nullopt;
    const Phase phase = *next.phase;
    PhaseOutcome outcome = co_await go_through(phase);
    // Being stopped says nothing about the release: the next start repeats this phase.
    const bool done = outcome.result == PhaseResult::done;
    if (run_.stop_requested && !done) co_return std::nullopt;
    const bool again = co_await is_to_be_repeated(phase, outcome);
    if (again) continue;
    losses_of_docker_ = 0;
    next = next_phase(phase, outcome.result, policy);
    if (next.end == DeploymentEnd::suspended) co_return co_await suspend(outcome.failure);
    if (outcome.failure) note_failure(std::move(*outcome.failure));
    // The first phase that changes anything.
    if (next.phase == Phase::switching && run_.hooks.paused()) {
      note_failure(failure_of_pause(run_.deps.settings, phase));
      next = Next{std::nullopt, DeploymentEnd::postponed};
    }
  }
  end_ = *next.end;
  DeploymentResult result{*end_, run_.deployment.failure, std::nullopt};
  const Result<void> recorded = co_await record_end();
  if (!recorded) result.unrecorded = recorded.error();
  co_return result;
}

Task<PhaseOutcome> DeploymentRunner::go_through(Phase phase) {
  const SteadyClock::time_point begun = SteadyClock::now();
  PhaseOutcome outcome;
  const Result<void> recorded = co_await begin(phase);
  if (recorded) {
    failpoint(failpoint_name(phase, "begun"));
    outcome = co_await run_phase(phase);
    failpoint(failpoint_name(phase, "performed"));
    if (run_.stop_requested && outcome.result != PhaseResult::done) co_return outcome;
  } else {
    outcome.result = PhaseResult::failed_by_host;
    outcome.failure = failure_of(phase, recorded.error(), FailureCause::host);
  }
  // Written with the next phase or with the end.
  const std::chrono::duration<double> lasted = SteadyClock::now() - begun;
  if (recorded) run_.deployment.timeline.back().seconds = lasted.count();
  co_return outcome;
}

Task<Result<void>> DeploymentRunner::begin(Phase phase) {
  Deployment& deployment = run_.deployment;
  const DeploymentDeps& deps = run_.deps;
  if (deployment.phase != phase) deployment.outgoing.reset();
  deployment.phase_attempts = deployment.phase == phase ? deployment.phase_attempts + 1 : 1;
  deployment.phase = phase;
  deployment.timeline.push_back({std::string(to_string(phase)), wall_now(), std::nullopt});
  const Result<void> written = co_await deps.store.save(deployment);
  // Nothing has been touched yet, so the phase need not begin.
  const bool may_wait =
      phase == Phase::pulling || phase == Phase::before || phase == Phase::switching;
  if (!written && may_wait) {
    deployment.timeline.pop_back();
    co_return written;
  }
  // In later phases it would be worse to stop halfway: if the daemon restarts, it repeats the
  // earlier phase that was recorded.
  if (!written) spdlog::warn("{}: {}", deps.settings.name, written.error().text());
  deps.progress.phase_begun(deployment);
  co_return Result<void>();
}

Task<PhaseOutcome> DeploymentRunner::run_phase(Phase phase) {
  switch (phase) {
    case Phase::pulling:
      co_return co_await phases::pulling(run_);
    case Phase::before:
      co_return co_await phases::hooks(run_, run_.deps.settings.hooks.before);
    case Phase::switching:
      co_return co_await phases::switching(run_);
    case Phase::starting:
      co_return co_await phases::starting(run_);
    case Phase::gating:
      co_return co_await phases::gating(run_);
    case Phase::committing:
      co_return co_await phases::committing(run_);
    case Phase::after:
      co_return co_await phases::hooks(run_, run_.deps.settings.hooks.after);
    case Phase::rolling_back:
      co_return co_await phases::rolling_back(run_);
    case Phase::gating_rollback:
      co_return co_await phases::gating_rollback(run_);
  }
  co_return PhaseOutcome{};
}

Task<bool> DeploymentRunner::is_to_be_repeated(Phase phase, PhaseOutcome outcome) {
  const bool may_be =
      outcome.docker_lost && phase != Phase::pulling && ++losses_of_docker_ < max_phase_attempts;
  if (!may_be) co_return false;
  const std::string why = outcome.failure ? outcome.failure->reason : "Docker does not answer";
  run_.deps.progress.note(
      fmt::format("{}: {} is repeated once Docker answers", why, to_string(phase)));
  const bool back = co_await wait_for_docker(run_);
  if (run_.stop_requested) co_return true;
  // Losing Docker did not kill the daemon, so it is not counted as an attempt.
  if (back) --run_.deployment.phase_attempts;
  co_return back;
}

void DeploymentRunner::note_failure(Failure failure) {
  hide_values(run_.hooks.values, failure);
  std::optional<Failure>& known = run_.deployment.failure;
  if (!known) {
    known = std::move(failure);
    return;
  }
  // While rolling back, the reason for the rollback remains the more important one.
  known->reason += "; rolling back failed too: " + failure.reason;
  known->services.insert(known->services.end(), failure.services.begin(), failure.services.end());
}

// The record keeps the reason for the rollback; the result also tells why the rollback cannot
// complete.
Task<DeploymentResult> DeploymentRunner::suspend(std::optional<Failure> failure) {
  // The next attempt begins by restoring what is missing by then.
  run_.deployment.phase = Phase::rolling_back;
  run_.deployment.phase_attempts = 0;
  run_.deployment.request.clear();
  const std::optional<Failure> recorded_failure = run_.deployment.failure;
  if (failure) note_failure(std::move(*failure));
  DeploymentResult result{DeploymentEnd::suspended, run_.deployment.failure, std::nullopt};
  run_.deployment.failure = recorded_failure;
  end_ = result.end;
  const Result<void> recorded = co_await record_end();
  if (!recorded) result.unrecorded = recorded.error();
  co_return result;
}

// --- the end

Task<void> DeploymentRunner::note_again() {
  if (*end_ == DeploymentEnd::committed) {
    const PhaseOutcome outcome = co_await phases::committing(run_);
    static_cast<void>(outcome);
  } else {
    const Deployment& deployment = run_.deployment;
    run_.noted = co_await note_running(run_, deployment.fallback, deployment.return_plan);
  }
}

Task<Result<void>> DeploymentRunner::record_end() {
  // Only by its record is it known that it is to go on, from where, and what must not be returned
  // to.
  if (*end_ == DeploymentEnd::suspended) co_return co_await run_.deps.store.save(run_.deployment);
  // Without a record of what is running a good release would look as if it had never run, and what
  // was restored as if no gate had seen it.
  const bool is_verified = *end_ == DeploymentEnd::committed || *end_ == DeploymentEnd::rolled_back;
  if (is_verified && !(run_.noted && *run_.noted)) {
    co_await note_again();
    if (!*run_.noted) co_return *run_.noted;
  }
  const DeploymentDeps& deps = run_.deps;
  co_return co_await write_end(deps.store, *end_, run_.deployment, deps.settings.gate.probation);
}

}  // namespace trimtab
