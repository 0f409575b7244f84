#include "agent/execute/demand.hpp"
#include "agent/execute/failure_report.hpp"
#include "agent/execute/gate_watch.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/model/classify.hpp"

namespace trimtab::phases {
namespace {

// Facts that are read once, before the gate.
struct Observation {
  Rendering rendering;
  std::map<std::string, std::string> image_ids;
  Observed present;
};

Task<Result<Observation>> observe(DeploymentRun& run, int number) {
  Result<Rendering> rendering = co_await run.stack.rendering(number);
  if (!rendering) co_return rendering.error();
  const Release release = *run.deps.store.find(number);
  auto ids = co_await run.stack.image_ids(release);
  if (!ids) co_return ids.error();
  const auto present = co_await run.stack.containers();
  if (!present) co_return present.error();
  Observation looked;
  looked.rendering = std::move(*rendering);
  looked.image_ids = std::move(*ids);
  looked.present.containers = *present;
  co_return looked;
}

PhaseOutcome cannot_look(Phase phase, const Error& error) {
  PhaseOutcome outcome;
  outcome.docker_lost = is_transient(error.code);
  outcome.result = PhaseResult::failed_by_host;
  outcome.failure = failure_of(phase, error, FailureCause::host);
  return outcome;
}

GateWatchDeps watch_parts(const DeploymentRun& run) {
  const DeploymentDeps& deps = run.deps;
  return {deps.settings,       deps.docker, deps.progress,
          deps.engine_changed, run.stack,   run.stop_requested};
}

}  // namespace

Task<PhaseOutcome> gating(DeploymentRun& run) {
  const Deployment& deployment = run.deployment;
  // Its content has passed its gate before.
  if (!is_gated(deployment.kind)) co_return PhaseOutcome{};
  const Result<Observation> looked = co_await observe(run, deployment.release);
  if (!looked) co_return cannot_look(Phase::gating, looked.error());
  const GateSettings& settings = run.deps.settings.gate;
  std::set<std::string> exempt_services = deployment.already_failing;
  exempt_services.merge(deployment.from.jobs());
  GateDemand demand = demand_of(looked->rendering, settings, looked->image_ids, looked->present,
                                run.deps.store.running(), deployment.plan, exempt_services);
  const GateWatchDeps deps = watch_parts(run);
  PhaseOutcome outcome =
      co_await watch_gate(deps, std::move(demand), settings.probe, Phase::gating);
  if (outcome.result != PhaseResult::done) co_return outcome;
  const Result<RunningSet> verified =
      co_await verified_running(run, deployment.release, deployment.plan);
  if (!verified) co_return cannot_look(Phase::gating, verified.error());
  // Recorded with the next phase: what vanishes from now on is not forgotten, however long it takes
  // until that phase is done.
  run.deployment.ran = *verified;
  co_return outcome;
}

Task<PhaseOutcome> gating_rollback(DeploymentRun& run) {
  const Deployment& deployment = run.deployment;
  const Result<Observation> looked = co_await observe(run, deployment.fallback);
  if (!looked) co_return cannot_look(Phase::gating_rollback, looked.error());
  const GateSettings& settings = run.deps.settings.gate;
  const std::set<std::string> jobs = run.deps.store.find(deployment.fallback)->jobs;
  std::set<std::string> exempt_services = deployment.already_failing;
  exempt_services.insert(jobs.begin(), jobs.end());
  // Services that the rollback left alone may run another image that somebody put there.
  GateDemand demand = demand_of(looked->rendering, settings, looked->image_ids, looked->present,
                                run.deps.store.running(), deployment.return_plan, exempt_services);
  const GateWatchDeps deps = watch_parts(run);
  PhaseOutcome outcome =
      co_await watch_gate(deps, std::move(demand), settings.probe, Phase::gating_rollback);
  if (outcome.result != PhaseResult::done) co_return outcome;
  run.noted = co_await note_running(run, deployment.fallback, deployment.return_plan);
  outcome.docker_lost = is_docker_away(*run.noted);
  co_return outcome;
}

}  // namespace trimtab::phases
