#include "agent/execute/plan_applier.hpp"

#include "agent/execute/demand.hpp"
#include "agent/execute/gate_watch.hpp"
#include "agent/execute/mounted_files.hpp"
#include "agent/execute/rolling_update.hpp"

namespace trimtab {

PlanApplier::PlanApplier(DeploymentRun& run, Application wanted)
    : run_(run),
      wanted_(std::move(wanted)),
      operations_({run.deps.settings, run.deps.project, run.deps.store, run.deps.docker,
                   run.deps.compose, run.deps.progress, run.stack}) {}

Task<Result<void>> PlanApplier::run() {
  Result<Rendering> rendering = co_await run_.stack.rendering(wanted_.release);
  if (!rendering) co_return rendering.error();
  rendering_ = std::move(*rendering);
  const auto present = co_await run_.stack.containers();
  if (!present) co_return present.error();
  const std::vector<Operation> operations =
      operations_of(wanted_.plan, rendering_, *present, wanted_.going_back);
  for (const Operation& operation : operations) {
    const Result<void> performed = co_await perform(operation);
    if (!performed) co_return performed;
  }
  co_return Result<void>();
}

Task<Result<void>> PlanApplier::perform(Operation operation) {
  std::vector<std::string>& services = operation.services;
  switch (operation.kind) {
    case Operation::Kind::make_room:
    case Operation::Kind::remove:
      co_return co_await operations_.remove(std::move(services));
    case Operation::Kind::apply:
      co_return co_await operations_.apply(wanted_.release, std::move(services),
                                           wanted_.force_recreate);
    case Operation::Kind::await: {
      const Result<void> ready = co_await await(std::move(services));
      if (!ready && !wanted_.going_back) co_return ready;
      failure_.reset();
      co_return Result<void>();
    }
    case Operation::Kind::roll:
      co_return co_await roll(std::move(services));
    case Operation::Kind::restart:
      co_return co_await operations_.restart(std::move(services));
    case Operation::Kind::reload: {
      std::set<std::string> by_files;
      if (!wanted_.going_back) by_files = new_files();
      co_return co_await operations_.reload(wanted_.release, std::move(services),
                                            std::move(by_files));
    }
  }
  co_return Result<void>();
}

std::set<std::string> PlanApplier::new_files() const {
  const Store& store = run_.deps.store;
  return with_new_files(*store.find(wanted_.release), run_.deployment.from, store.releases());
}

Task<Result<void>> PlanApplier::await(std::vector<std::string> services) {
  const DeploymentDeps& deps = run_.deps;
  const auto ids = co_await run_.stack.image_ids(*deps.store.find(wanted_.release));
  if (!ids) co_return ids.error();
  GateDemand demand = demand_of(rendering_, deps.settings.gate, *ids, Observed{}, RunningSet{},
                                wanted_.plan, run_.deployment.already_failing);
  demand.stable = std::chrono::milliseconds(0);
  std::erase_if(demand.services, [&](const auto& one) { return !is_named(one.first, services); });
  if (demand.services.empty()) co_return Result<void>();
  const GateWatchDeps watch{deps.settings,       deps.docker, deps.progress,
                            deps.engine_changed, run_.stack,  run_.stop_requested};
  std::vector<ProbeSettings> unasked;
  PhaseOutcome outcome =
      co_await watch_gate(watch, std::move(demand), std::move(unasked), run_.deployment.phase);
  if (outcome.result == PhaseResult::done) co_return Result<void>();
  failure_ = std::move(outcome.failure);
  if (outcome.docker_lost) co_return Error{Errc::unavailable, "Docker does not answer", {}};
  if (!failure_) co_return Error{Errc::cancelled, "stopped while services started", {}};
  co_return Error{Errc::failed, failure_->reason, {}};
}

Task<Result<void>> PlanApplier::note_outgoing(std::vector<std::string> services) {
  Deployment& deployment = run_.deployment;
  if (deployment.outgoing) co_return Result<void>();
  const auto present = co_await run_.stack.containers();
  if (!present) co_return present.error();
  SeenContainers keep;
  if (wanted_.going_back) keep = run_.deps.store.find(wanted_.release)->seen;
  deployment.outgoing = outgoing_of(services, *present, keep);
  co_return co_await run_.deps.store.save(deployment);
}

Task<Result<void>> PlanApplier::roll(std::vector<std::string> services) {
  const Result<void> noted = co_await note_outgoing(services);
  if (!noted) co_return noted;
  const DeploymentDeps& with = run_.deps;
  const auto ids = co_await run_.stack.image_ids(*with.store.find(wanted_.release));
  if (!ids) co_return ids.error();
  const RollingUpdateDeps deps{with.settings,       with.project,       with.docker,
                               with.compose,        with.store,         with.progress,
                               with.engine_changed, run_.stop_requested};
  const SeenContainers& outgoing = *run_.deployment.outgoing;
  for (const std::string& service : services) {
    RollingUpdateSpec wanted;
    wanted.service = service;
    wanted.compose_file = with.store.compose_file(wanted_.release);
    wanted.rendering = &rendering_;
    if (const auto id = ids->find(service); id != ids->end()) wanted.image_id = id->second;
    if (const auto old = outgoing.find(service); old != outgoing.end())
      wanted.outgoing = old->second;
    wanted.others_start = !run_.deployment.plan.to_apply().empty();
    wanted.going_back = wanted_.going_back;
    wanted.with_new_files = new_files();
    RollingUpdate roller(deps, std::move(wanted));
    const Result<void> rolled = co_await roller.run();
    failure_ = roller.failure();
    if (!rolled) co_return rolled;
  }
  co_return Result<void>();
}

}  // namespace trimtab
