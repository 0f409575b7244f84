// A release that has passed its gate goes back by itself where it breaks soon after.

#include <algorithm>

#include "agent/execute/failure_log.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/plan/diff.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

// What was done for the content that runs, be it in several releases: commits that changed nothing
// of it and repairs have plans of their own.
Plan plan_of_content(const Store& store, const Release& current, const Release& before) {
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

// While this process runs, it lasts as long as the steady clock says.
bool Reconciler::is_on_probation() {
  const Release* const current = store_.current();
  if (current == nullptr || current->outcome != Outcome::good || !current->probation_until) {
    probation_end_.reset();
    return false;
  }
  const SteadyClock::time_point now = SteadyClock::now();
  if (!probation_end_ || probation_end_->release != current->number) {
    const auto left =
        probation_left(*current->probation_until, wall_now(), settings_.gate.probation);
    probation_end_ = ProbationEnd{current->number, now + left};
  }
  if (now < probation_end_->at) return true;
  Release passed = *current;
  passed.probation_until.reset();
  const Result<void> saved = store_.save(passed);
  if (!saved) spdlog::warn("{}: {}", settings_.name, saved.error().text());
  probation_end_.reset();
  return false;
}

Task<bool> Reconciler::watch_probation() {
  const Release* const current = store_.current();
  const Release* const before = is_on_probation() ? store_.last_good_before(*current) : nullptr;
  const bool seen_by_gate = std::exchange(gate_was_watched_, false);
  if (before == nullptr) {
    probation_.reset();
    co_return false;
  }
  if (!probation_ || probation_->release() != current->number) {
    probation_.emplace(*current, *before, seen_by_gate, SteadyClock::now());
  }
  std::optional<Failure> failure =
      probation_->observe(observed_.containers, stopped_, SteadyClock::now());
  if (!failure) co_return false;
  probation_.reset();
  for (ServiceFailure& service : failure->services) {
    for (const Container& container : observed_.containers) {
      if (container.service != service.service) continue;
      co_await add_last_lines(docker_, container.id, &service);
    }
  }
  hide_values(known_values_of(store_, {current->number}), *failure);
  if (settings_.rollback == RollbackMode::automatic) {
    co_await end_probation(std::move(*failure));
    co_return true;
  }
  Release told = *store_.current();
  told.probation_until.reset();
  told.notices.push_back(failure->reason + "; `trimtab rollback " + settings_.name +
                         "` goes back from it");
  const Result<void> saved = store_.save(told);
  if (!saved) spdlog::warn("{}: {}", settings_.name, saved.error().text());
  tell(Milestone::failed, spdlog::level::warn,
       release_text(told.number) + " (" + short_commit(told.commit) + ") " + told.notices.back(),
       &told);
  co_return false;
}

Task<void> Reconciler::end_probation(Failure failure) {
  const Release current = *store_.current();
  Attempt next;
  next.release = current.number;
  const Release& before = *store_.last_good_before(current);
  next.fallback = before.number;
  next.plan = plan_of_content(store_, current, before);
  const Result<Rendering> rendering = rendering_of(current.number);
  next.checkout = current.number;
  next.from = store_.running();
  if (rendering) next.unwell = unwell_services(next.from, *rendering, observed_);
  next.phase = Phase::rolling_back;
  next.failure = std::move(failure);
  next.started_at = wall_now();
  Turn::Holder host = co_await wait_for_host();
  co_await attempt(std::move(next), false, std::move(host));
}

}  // namespace trimtab
