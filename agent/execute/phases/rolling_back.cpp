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

// Falls back to an older good release if the rendering of the one to go back to is lost.
Task<Result<void>> choose_readable_fallback(Deployment& deployment) {
  const ExecutorParts& parts = deployment.parts;
  Attempt& attempt = deployment.attempt;
  for (;;) {
    const int number = attempt.fallback;
    const Result<Rendering> rendering = co_await deployment.stack.rendering(number);
    if (rendering) co_return Result<void>();
    const ReleaseRecord* const older = parts.store.last_good_before(*parts.store.find(number));
    // Without Compose for a moment nothing can be rendered again: that is no reason.
    const bool lost = !parts.compose.problem() && is_lost(parts.store, number, rendering.error());
    if (!lost || older == nullptr) co_return rendering.error();
    attempt.fallback = older->number;
    const std::string notice = "it could not go back to release " + std::to_string(number) +
                               ", but to release " + std::to_string(attempt.fallback) + ": " +
                               rendering.error().text();
    parts.progress.remark(notice);
    add_notice(attempt, notice);
    const Result<void> noted = parts.store.save(attempt);
    if (!noted) co_return noted;
  }
}

// From what is there now: what an earlier try has put back already is left alone.
Task<Result<Plan>> plan_back(Deployment& deployment) {
  const Attempt& attempt = deployment.attempt;
  const ReleaseRecord good = *deployment.parts.store.find(attempt.fallback);
  const Result<Rendering> rendering = co_await deployment.stack.rendering(good.number);
  if (!rendering) co_return rendering.error();
  const Result<ProjectContainers> found = co_await deployment.stack.found();
  if (!found) co_return found.error();
  const Result<Base> base = co_await base_of_plans(deployment);
  if (!base) co_return base.error();
  Observed observed;
  observed.containers = without_hand_made_rest(found->own, found->signs, *rendering);
  co_return make_rollback_plan(target_of(good, *rendering), *base, attempt.plan, attempt.unwell,
                               observed);
}

// As where a phase is begun: what is not written counts until the next start.
void note_plan(Deployment& deployment, const Plan& plan) {
  Store& store = deployment.parts.store;
  deployment.attempt.return_plan = plan;
  const Result<void> planned = store.save(deployment.attempt);
  const Result<void> touched = note_touched(store, plan);
  for (const Result<void>* const result : {&planned, &touched}) {
    if (!*result) {
      spdlog::warn("{}: {}", deployment.parts.settings.name, result->error().text());
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

Task<Result<void>> go_back(Deployment& deployment) {
  Store& store = deployment.parts.store;
  const Result<void> chosen = co_await choose_readable_fallback(deployment);
  if (!chosen) co_return chosen;
  const ReleaseRecord good = *store.find(deployment.attempt.fallback);
  const Result<Plan> plan = co_await plan_back(deployment);
  if (!plan) co_return plan.error();
  const Result<void> may = co_await deployment.stack.may_apply(good.number, *plan);
  if (!may) co_return may;
  note_plan(deployment, *plan);
  // Everything that will be needed is here before anything is stopped.
  const std::function<bool()> unwanted = [&deployment] { return deployment.stop_requested; };
  std::map<std::string, ImagePin> needed = images_needed(good, *plan);
  const std::optional<Result<void>> brought =
      co_await bring_images(deployment, std::move(needed), unwanted);
  if (!brought) co_return Error{Errc::cancelled, "stopped while images were pulled", {}};
  if (!*brought) co_return *brought;
  const Result<SwitchReport> moved =
      co_await move_checkout(deployment, deployment.attempt.release, good.number);
  if (!moved) co_return moved.error();
  const Result<void> saved = co_await save_boot_file(deployment, good.number, good.jobs);
  failpoint("rolling_back:checked_out");
  if (!saved) co_return saved;
  const Result<void> linked = store.set_current(good.number);
  if (!linked) co_return linked;
  Application wanted;
  wanted.release = good.number;
  wanted.plan = *plan;
  wanted.force_recreate = true;
  wanted.going_back = true;
  PlanApplier applier(deployment, std::move(wanted));
  co_return co_await applier.run();
}

}  // namespace

Task<PhaseOutcome> rolling_back(Deployment& deployment) {
  PhaseOutcome outcome;
  const Result<void> back = co_await go_back(deployment);
  if (back) co_return outcome;
  const FailureClass cls = classify(Phase::rolling_back, back.error());
  outcome.docker_lost = is_transient(back.error().code);
  outcome.result = failed_by(cls);
  outcome.failure = failure_of(Phase::rolling_back, back.error(), cls);
  co_return outcome;
}

}  // namespace trimtab::phases
