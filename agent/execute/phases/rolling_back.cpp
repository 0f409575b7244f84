#include <fmt/core.h>

#include "agent/execute/failure_report.hpp"
#include "agent/execute/phases/checkout.hpp"
#include "agent/execute/phases/images.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/plan_applier.hpp"
#include "agent/execute/running_record.hpp"
#include "agent/model/classify.hpp"
#include "agent/record/rendering.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace trimtab::phases {
namespace {

// Falls back to an older good release if the rendering of the one to restore is lost.
Task<Result<void>> choose_readable_fallback(DeploymentRun& run) {
  const DeploymentDeps& deps = run.deps;
  Deployment& deployment = run.deployment;
  for (;;) {
    const int number = deployment.fallback;
    const Result<Rendering> rendering = co_await run.stack.rendering(number);
    if (rendering) co_return Result<void>();
    const ReleaseRecord* const older = deps.store.last_good_before(*deps.store.find(number));
    // While Compose is missing nothing can be rendered again, but that is temporary.
    const bool lost = !deps.compose.problem() && is_lost(deps.store, number, rendering.error());
    if (!lost || older == nullptr) co_return rendering.error();
    deployment.fallback = older->number;
    const std::string notice = fmt::format(
        "it could not be rolled back to release {}, but was rolled back to release {}: {}", number,
        deployment.fallback, rendering.error().text());
    deps.progress.note(notice);
    add_notice(deployment, notice);
    const Result<void> noted = co_await deps.store.save(deployment);
    if (!noted) co_return noted;
  }
}

// Starts from what is running now: what an earlier attempt has restored is left alone.
Task<Result<Plan>> plan_back(DeploymentRun& run) {
  const Deployment& deployment = run.deployment;
  const ReleaseRecord good = *run.deps.store.find(deployment.fallback);
  const Result<Rendering> rendering = co_await run.stack.rendering(good.number);
  if (!rendering) co_return rendering.error();
  const Result<ProjectContainers> found = co_await run.stack.found();
  if (!found) co_return found.error();
  const Result<Base> base = co_await base_of_plans(run);
  if (!base) co_return base.error();
  Observed observed;
  observed.containers = without_hand_made_rest(found->own, found->signs, *rendering);
  co_return make_rollback_plan(target_of(good, *rendering), *base, deployment.plan,
                               deployment.already_failing, observed);
}

// Like at the beginning of a phase: what cannot be written applies until the next start.
Task<void> note_plan(DeploymentRun& run, Plan plan) {
  Store& store = run.deps.store;
  run.deployment.return_plan = plan;
  const Result<void> planned = co_await store.save(run.deployment);
  const Result<void> touched = co_await note_touched(store, plan);
  for (const Result<void>* const result : {&planned, &touched}) {
    if (!*result) {
      spdlog::warn("{}: {}", run.deps.settings.name, result->error().text());
    }
  }
}

std::map<std::string, ImagePin> images_needed(const Release& good, const Plan& plan) {
  std::vector<std::string> replaced = plan.to_apply();
  const std::vector<std::string> rolled = plan.with(Action::roll);
  replaced.insert(replaced.end(), rolled.begin(), rolled.end());
  std::map<std::string, ImagePin> needed;
  for (const std::string& service : replaced) {
    const auto pin = good.images.find(service);
    if (pin != good.images.end()) needed.insert(*pin);
  }
  return needed;
}

Task<Result<void>> go_back(DeploymentRun& run) {
  Store& store = run.deps.store;
  const Result<void> chosen = co_await choose_readable_fallback(run);
  if (!chosen) co_return chosen;
  const ReleaseRecord good = *store.find(run.deployment.fallback);
  const Result<Plan> plan = co_await plan_back(run);
  if (!plan) co_return plan.error();
  const Result<void> may = co_await run.stack.may_apply(good.number, *plan);
  if (!may) co_return may;
  co_await note_plan(run, *plan);
  // Gets everything that is needed before anything is stopped.
  const std::function<bool()> unwanted = [&run] { return run.stop_requested; };
  std::map<std::string, ImagePin> needed = images_needed(good, *plan);
  const std::optional<Result<void>> brought =
      co_await bring_images(run, std::move(needed), unwanted);
  if (!brought) co_return Error{Errc::cancelled, "stopped while images were pulled", {}};
  if (!*brought) co_return *brought;
  const Result<SwitchReport> moved =
      co_await move_checkout(run, run.deployment.release, good.number);
  if (!moved) co_return moved.error();
  const Result<void> saved = co_await save_boot_file(run, good.number, good.jobs);
  failpoint("rolling_back:checked_out");
  if (!saved) co_return saved;
  const Result<void> linked = co_await store.set_current(good.number);
  if (!linked) co_return linked;
  Application wanted;
  wanted.release = good.number;
  wanted.plan = *plan;
  wanted.force_recreate = true;
  wanted.going_back = true;
  PlanApplier applier(run, std::move(wanted));
  co_return co_await applier.run();
}

}  // namespace

Task<PhaseOutcome> rolling_back(DeploymentRun& run) {
  PhaseOutcome outcome;
  const Result<void> back = co_await go_back(run);
  if (back) co_return outcome;
  const FailureCause cause = classify(Phase::rolling_back, back.error());
  outcome.docker_lost = is_transient(back.error().code);
  outcome.result = failed_by(cause);
  outcome.failure = failure_of(Phase::rolling_back, back.error(), cause);
  co_return outcome;
}

}  // namespace trimtab::phases
