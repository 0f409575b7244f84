// The promises about going back: it ends on what ran before, and is not given up.
#include <algorithm>

#include "agent/record/rendering.hpp"
#include "tests/simulation/life.hpp"

namespace trimtab::simulation {

// Back is not what was rejected, unless an operator has chosen it.
void Life::check_target(const Deployment& deployment, const std::set<std::string>& rejected) {
  const bool by_operator = deployment.kind == DeploymentKind::operator_rollback;
  if (!by_operator && deployment.kind != DeploymentKind::probation_rollback) return;
  const int target = by_operator ? deployment.release : deployment.fallback;
  const ReleaseRecord* const release = daemon_->stack().store().find(target);
  if (target == chosen_ || release == nullptr || !rejected.contains(release->content_key)) return;
  break_promise("it goes back to release " + std::to_string(target) + ", which was rejected");
}

// Back is what ran when the deployment began.
void Life::check_way_back(int release) {
  const ReleaseRecord* const tried = daemon_->stack().store().find(release);
  if (tried == nullptr || tried->outcome != Outcome::rolled_back || hands_ != hands_before_) return;
  const std::map<std::string, std::string> now = what_runs();
  for (const auto& [service, definition] : ran_before_) {
    const auto found = now.find(service);
    if (found != now.end() && found->second == definition) continue;
    break_promise("release " + std::to_string(release) + " was rolled back, and " + service +
                  (found == now.end() ? " does not run any more" : " runs something else now"));
  }
}

// What works does not go back because somebody stopped what its gate has nothing to do with.
void Life::check_stops_beside_gate(const Deployment& ended) {
  const int stops = stops_beside_gate_ - flight_stops_beside_gate_;
  const bool is_disturbed = hands_ - stops != flight_hands_ || kills_ != flight_kills_ ||
                            faults_end_ >= flight_began_ || needs_a_person();
  if (stops == 0 || is_disturbed || ended.outcome != Outcome::rolled_back) return;
  const Store& store = daemon_->stack().store();
  const Result<Rendering> rendering = read_rendering(store, ended.release);
  if (!rendering || !works_for_good(*rendering) || world_.has_hooks) return;
  break_promise("release " + std::to_string(ended.release) +
                " works, and went back since somebody had stopped what it left alone");
}

// Going back is not given up where what is gone back to works.
void Life::check_end(int deployment) {
  const Store& store = daemon_->stack().store();
  const auto found = store.deployments().find(deployment);
  if (found != store.deployments().end()) check_hooks(found->second);
  if (found != store.deployments().end()) check_stops_beside_gate(found->second);
  const bool is_disturbed =
      hands_ != flight_hands_ || kills_ != flight_kills_ || flight_waits_ || needs_a_person();
  if (is_disturbed || found == store.deployments().end()) return;
  const Deployment& ended = found->second;
  const bool went_back =
      std::any_of(ended.timeline.begin(), ended.timeline.end(),
                  [](const TimelineEntry& entry) { return entry.phase == "rolling_back"; });
  if (ended.outcome != Outcome::failed || !went_back || store.find(ended.fallback) == nullptr) {
    return;
  }
  const Result<Rendering> rendering = read_rendering(store, ended.fallback);
  if (!rendering || !works_for_good(*rendering)) return;
  break_promise("release " + std::to_string(ended.fallback) + " works, and going back to it from " +
                std::to_string(ended.release) + " was given up");
}

bool Life::needs_a_person() const {
  return !lost_volumes_.empty() || !not_ours_.empty() || is_hook_without_place() ||
         std::any_of(worn_out_.begin(), worn_out_.end(),
                     [&](const std::string& id) { return world_.all.contains(id); });
}

}  // namespace trimtab::simulation
