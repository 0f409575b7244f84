#include "agent/execute/failure_report.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/plan_applier.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/model/classify.hpp"

namespace trimtab::phases {
namespace {

Task<Failure> explain(Deployment& deployment, Error error) {
  const FailureClass cls = classify(Phase::starting, error);
  const auto present = co_await deployment.stack.containers();
  if (!present) co_return failure_of(Phase::starting, error, cls);
  Failure failure = failure_of_start(error, cls, *present);
  co_await add_logs(deployment.parts.docker, deployment.stack, &failure.services);
  co_return failure;
}

PhaseOutcome failed(const Error& error, Failure failure) {
  failure.phase = to_string(Phase::starting);
  PhaseOutcome outcome;
  outcome.docker_lost = error.code == Errc::unavailable;
  outcome.result = failed_by(failure.cls);
  outcome.failure = std::move(failure);
  return outcome;
}

}  // namespace

Task<PhaseOutcome> starting(Deployment& deployment) {
  const Attempt& attempt = deployment.attempt;
  if (attempt.plan.empty()) co_return PhaseOutcome{};
  Result<void> may = note_touched(deployment.parts.store, attempt.plan);
  if (may) may = co_await deployment.stack.may_apply(attempt.release, attempt.plan);
  const auto present = co_await deployment.stack.containers();
  if (may && !present) may = present.error();
  if (!may) {
    Failure failure = co_await explain(deployment, may.error());
    co_return failed(may.error(), std::move(failure));
  }
  Application wanted;
  wanted.release = attempt.release;
  wanted.plan = attempt.plan;
  wanted.force_recreate = any_to_replace(attempt.plan, attempt.from, *present);
  PlanApplier applier(deployment, std::move(wanted));
  const Result<void> applied = co_await applier.run();
  if (applied) co_return PhaseOutcome{};
  if (applier.failure()) co_return failed(applied.error(), *applier.failure());
  Failure failure = co_await explain(deployment, applied.error());
  co_return failed(applied.error(), std::move(failure));
}

}  // namespace trimtab::phases
