// Rolls a release back automatically if it breaks soon after passing its gate.

#include <fmt/core.h>

#include <algorithm>

#include "agent/execute/failure_log.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/plan/diff.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

// Combines the plans of all releases with the running content: commits that did not change it, and
// repairs, have plans of their own.
Plan plan_of_content(const Store& store, const ReleaseRecord& current,
                     const ReleaseRecord& before) {
  Plan all;
  for (const auto& [number, release] : store.releases()) {
    if (number <= before.number || number > current.number) continue;
    if (release.content_key != current.content_key) continue;
    for (const Step& step : release.plan.steps) {
      std::erase_if(all.steps, [&](const Step& known) {
        return known.service == step.service && step.action != Action::none;
      });
      const bool known = std::any_of(all.steps.begin(), all.steps.end(), [&](const Step& other) {
        return other.service == step.service;
      });
      if (!known) all.steps.push_back(step);
    }
  }
  return all;
}

}  // namespace

Task<void> Reconciler::perform(action::EndProbation) {
  std::string none;
  co_await end_probation(std::move(none));
}

// Ends the probation of the current release, which must be good by a deployment. `notice`: for the
// user; "": none.
Task<void> Reconciler::end_probation(std::string notice) {
  const ReleaseRecord& passed = *deps_.store.current();
  probation_.give_up(passed.number);
  Deployment ended = deps_.store.deployments().at(passed.made_good_by);
  ended.probation_until.reset();
  if (!notice.empty()) add_notice(ended, notice);
  const Result<void> saved = co_await deps_.store.save(ended);
  if (!saved) spdlog::warn("{}: {}", deps_.settings.name, saved.error().text());
}

Task<void> Reconciler::perform(action::TellBroken action) {
  Failure failure = std::move(action.failure);
  co_await add_logs_of_broken(&failure);
  const Release told = *deps_.store.current();
  const std::string notice =
      fmt::format("{}; `trimtab rollback {}` rolls it back", failure.reason, deps_.settings.name);
  co_await end_probation(notice);
  reporter_.report(Milestone::failed, spdlog::level::warn,
                   release_text(told.number) + " (" + short_commit(told.commit) + ") " + notice,
                   &told);
}

Task<void> Reconciler::perform(action::GoBack action) {
  Failure failure = std::move(action.failure);
  co_await add_logs_of_broken(&failure);
  const Store& store = deps_.store;
  const ReleaseRecord current = *store.current();
  const ReleaseRecord& before = *store.last_good_before(current);
  Deployment next;
  next.release = current.number;
  next.fallback = before.number;
  next.kind = DeploymentKind::probation_rollback;
  next.cause = failure.reason;
  next.plan = plan_of_content(store, current, before);
  const Result<Rendering> rendering = renderings_.of(current.number);
  next.checkout = current.number;
  next.from = store.running();
  if (rendering) next.already_failing = failing_services(next.from, *rendering, observation_.own);
  next.phase = Phase::rolling_back;
  next.failure = std::move(failure);
  next.started_at = wall_now();
  AsyncMutex::Guard host = co_await wait_for_host();
  co_await run_deployment(std::move(next), false, std::move(host), {});
}

Task<void> Reconciler::add_logs_of_broken(Failure* failure) {
  const std::vector<Container> containers = observation_.own.containers;
  for (ServiceFailure& service : failure->services) {
    for (const Container& container : containers) {
      if (container.service != service.service) continue;
      co_await add_last_lines(deps_.docker, container.id, &service);
    }
  }
  hide_values(known_values_of(deps_.store, {deps_.store.current()->number}), *failure);
}

}  // namespace trimtab
