// A release that has passed its gate goes back by itself where it breaks soon after.
#include <spdlog/spdlog.h>

#include "agent/plan/diff.hpp"
#include "agent/reconcile/reconciler.hpp"

namespace trimtab {
namespace {

constexpr int kept_log_lines = 20;

// The plan by which the content that runs was started. Commits that changed nothing of it since
// have empty ones.
Plan plan_of_content(const Store& store, const Release& current) {
  const auto& releases = store.releases();
  for (auto entry = releases.rbegin(); entry != releases.rend(); ++entry) {
    const Release& release = entry->second;
    if (release.number > current.number || release.content_key != current.content_key) continue;
    if (!release.plan.empty()) return release.plan;
  }
  return current.plan;
}

}  // namespace

Task<bool> Reconciler::watch_probation() {
  const Release* const current = store_.current();
  const bool on_probation = current != nullptr && current->outcome == Outcome::good &&
                            current->probation_until && *current->probation_until > wall_now();
  const Release* const before = on_probation ? store_.last_good_before(*current) : nullptr;
  if (before == nullptr) {
    probation_.reset();
    co_return false;
  }
  if (!probation_ || probation_->release() != current->number) {
    probation_.emplace(*current, *before, SteadyClock::now());
  }
  std::optional<Failure> failure =
      probation_->observe(observed_.containers, stopped_, SteadyClock::now());
  if (!failure) co_return false;
  probation_.reset();
  for (ServiceFailure& service : failure->services) {
    for (const Container& container : observed_.containers) {
      if (container.service != service.service) continue;
      const auto log = co_await docker_.last_log_lines(container.id, kept_log_lines);
      if (log) service.log = split(*log, '\n');
    }
  }
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
  next.fallback = store_.last_good_before(current)->number;
  next.plan = plan_of_content(store_, current);
  const Result<Rendering> rendering = rendering_of(current.number);
  if (rendering) next.unwell = unwell_services(current, *rendering, observed_);
  next.phase = Phase::rolling_back;
  next.failure = std::move(failure);
  next.started_at = wall_now();
  co_await attempt(std::move(next), false);
}

}  // namespace trimtab
