#include "agent/execute/failure_report.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/plan_applier.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/model/classify.hpp"

namespace trimtab::phases {
namespace {

Task<Failure> explain(DeploymentRun& run, Error error) {
  const FailureCause cause = classify(Phase::starting, error);
  const auto present = co_await run.stack.containers();
  if (!present) co_return failure_of(Phase::starting, error, cause);
  Failure failure = failure_of_start(error, cause, *present);
  co_await add_logs(run.deps.docker, run.stack, &failure.services);
  co_return failure;
}

PhaseOutcome failed(const Error& error, Failure failure) {
  failure.phase = to_string(Phase::starting);
  PhaseOutcome outcome;
  outcome.docker_lost = error.code == Errc::unavailable;
  outcome.result = failed_by(failure.cause);
  outcome.failure = std::move(failure);
  return outcome;
}

}  // namespace

Task<PhaseOutcome> starting(DeploymentRun& run) {
  const Deployment& deployment = run.deployment;
  if (deployment.plan.empty()) co_return PhaseOutcome{};
  Result<void> may = co_await note_touched(run.deps.store, deployment.plan);
  if (may) may = co_await run.stack.may_apply(deployment.release, deployment.plan);
  const auto present = co_await run.stack.containers();
  if (may && !present) may = present.error();
  if (!may) {
    Failure failure = co_await explain(run, may.error());
    co_return failed(may.error(), std::move(failure));
  }
  Application wanted;
  wanted.release = deployment.release;
  wanted.plan = deployment.plan;
  wanted.force_recreate = any_to_replace(deployment.plan, deployment.from, *present);
  PlanApplier applier(run, std::move(wanted));
  const Result<void> applied = co_await applier.run();
  if (applied) co_return PhaseOutcome{};
  if (applier.failure()) co_return failed(applied.error(), *applier.failure());
  Failure failure = co_await explain(run, applied.error());
  co_return failed(applied.error(), std::move(failure));
}

}  // namespace trimtab::phases
