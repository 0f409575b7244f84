#include "agent/execute/demand.hpp"
#include "agent/execute/failure_report.hpp"
#include "agent/execute/gate_watch.hpp"
#include "agent/execute/operations.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/model/classify.hpp"

namespace trimtab::phases {
namespace {

// What is looked at once, before the gate.
struct Looked {
  Rendering rendering;
  std::map<std::string, std::string> image_ids;
  Observed before;
};

Task<Result<Looked>> look(Deployment& deployment, int number) {
  Result<Rendering> rendering = co_await deployment.stack.rendering(number);
  if (!rendering) co_return rendering.error();
  const Release release = *deployment.parts.store.find(number);
  auto ids = co_await deployment.stack.image_ids(release);
  if (!ids) co_return ids.error();
  const auto present = co_await deployment.stack.containers();
  if (!present) co_return present.error();
  Looked looked;
  looked.rendering = std::move(*rendering);
  looked.image_ids = std::move(*ids);
  looked.before = verified_among(*present, deployment.parts.store.running());
  co_return looked;
}

PhaseOutcome cannot_look(Phase phase, const Error& error) {
  PhaseOutcome outcome;
  outcome.docker_lost = is_transient(error.code);
  outcome.result = PhaseResult::failed_by_world;
  outcome.failure = failure_of(phase, error, FailureClass::world);
  return outcome;
}

GateWatchParts watch_parts(const Deployment& deployment) {
  const ExecutorParts& parts = deployment.parts;
  return {parts.settings,       parts.docker,     parts.progress,
          parts.engine_changed, deployment.stack, deployment.stop_requested};
}

}  // namespace

Task<PhaseOutcome> gating(Deployment& deployment) {
  const Attempt& attempt = deployment.attempt;
  // It is what passed its gate before.
  if (!is_gated(attempt.kind)) co_return PhaseOutcome{};
  const Result<Looked> looked = co_await look(deployment, attempt.release);
  if (!looked) co_return cannot_look(Phase::gating, looked.error());
  const GateSettings& settings = deployment.parts.settings.gate;
  std::set<std::string> excused = attempt.unwell;
  excused.merge(attempt.from.jobs());
  GateDemand demand = demand_of(looked->rendering, settings, looked->image_ids, looked->before,
                                attempt.plan, excused);
  const GateWatchParts parts = watch_parts(deployment);
  co_return co_await watch_gate(parts, std::move(demand), settings.probe, Phase::gating);
}

Task<PhaseOutcome> gating_rollback(Deployment& deployment) {
  const Attempt& attempt = deployment.attempt;
  const Result<Looked> looked = co_await look(deployment, attempt.fallback);
  if (!looked) co_return cannot_look(Phase::gating_rollback, looked.error());
  const GateSettings& settings = deployment.parts.settings.gate;
  const std::set<std::string> jobs = deployment.parts.store.find(attempt.fallback)->jobs;
  std::set<std::string> excused = attempt.unwell;
  excused.insert(jobs.begin(), jobs.end());
  // What it left alone may run another image, put there by hand.
  GateDemand demand = demand_of(looked->rendering, settings, looked->image_ids, looked->before,
                                attempt.return_plan, excused);
  const GateWatchParts parts = watch_parts(deployment);
  PhaseOutcome outcome =
      co_await watch_gate(parts, std::move(demand), settings.probe, Phase::gating_rollback);
  if (outcome.result != PhaseResult::done) co_return outcome;
  const Result<void> noted =
      co_await note_running(deployment, attempt.fallback, attempt.return_plan);
  if (!noted) outcome.docker_lost = true;
  co_return outcome;
}

}  // namespace trimtab::phases
