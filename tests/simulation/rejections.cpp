// The promises about what was rejected: it was at fault, and it is not tried again unasked.
#include "agent/record/rendering.hpp"
#include "tests/simulation/compose.hpp"
#include "tests/simulation/life.hpp"

namespace trimtab::simulation {
namespace {

// In one phase of a deployment, whereupon it counts as what ends the daemon.
constexpr int max_kills = 3;

}  // namespace

// Now and later.
bool Life::works_for_good(const Rendering& rendering) const {
  for (const std::string& name : rendering.service_names()) {
    const Json& service = rendering.service(name);
    const std::string pinned = json_string(service, "image");
    const auto image = world_.registry.find(pinned.substr(pinned.find('@') + 1));
    if (image == world_.registry.end()) return false;
    if (!behaviour_of(service, image->second.behaviour).works()) return false;
  }
  return true;
}

void Life::check_rejections() {
  const Store& store = daemon_->stack().store();
  const std::optional<Deployment>& deployment = store.in_flight();
  const bool begins = deployment && deployment->started_at != trial_.since;
  const bool is_news = store.rejected() != trial_.rejected;
  if (!begins && !is_news) return;
  if (is_news) check_new_rejections();
  const std::set<std::string> rejected = std::exchange(trial_.rejected, store.rejected());
  if (!begins) return;
  trial_.since = deployment->started_at;
  trial_.kind = deployment->kind;
  const ReleaseRecord& tried = *store.find(deployment->release);
  check_target(*deployment, rejected);
  // What breaks on probation has had since its deployment to do so.
  if (deployment->kind == DeploymentKind::probation_rollback) return;
  trial_.release = deployment->release;
  trial_.hands = hands_;
  trial_.stops_beside_gate = stops_beside_gate_;
  trial_.kills = kills_;
  trial_.was_hindered = is_paused_;
  const bool is_unasked = deployment->kind == DeploymentKind::deploy && deployment->request.empty();
  if (!is_unasked) return;
  // The last that became of this content, by which it may have been pardoned.
  const Deployment* last = nullptr;
  for (const auto& [id, other] : store.deployments()) {
    const ReleaseRecord* const of = store.find(other.release);
    const bool is_same = of != nullptr && of->content_key == tried.content_key;
    const bool is_open =
        other.outcome == Outcome::superseded || other.outcome == Outcome::postponed;
    if (is_same && other.ended_at && !is_open) last = &other;
  }
  const bool has_failed = last != nullptr && failed_by_itself(*last) && store.problems().empty();
  if (!has_failed && !rejected.contains(tried.content_key)) return;
  break_promise("release " + std::to_string(deployment->release) +
                " is tried, though its content has failed and nobody has asked for it");
}

bool Life::failed_by_itself(const Deployment& ended) const {
  const Store& store = daemon_->stack().store();
  const bool failed = ended.outcome == Outcome::rejected || ended.outcome == Outcome::rolled_back ||
                      ended.outcome == Outcome::failed;
  const ReleaseRecord* const fallback = store.find(ended.fallback);
  // A repair that fails says nothing of what ran before it.
  const bool is_repair =
      fallback != nullptr && fallback->content_key == store.find(ended.release)->content_key;
  return failed && !is_repair && ended.kind != DeploymentKind::operator_rollback && ended.failure &&
         ended.failure->cause == FailureCause::release;
}

// Since it was deployed, until now.
bool Life::was_left_to_itself(const Release& release) const {
  return trial_.release == release.number && trial_.kind == DeploymentKind::deploy &&
         hands_ == trial_.hands && kills_ == trial_.kills && !trial_.was_hindered;
}

// A host's failures, and what people do, are nothing that content is rejected for.
void Life::check_new_rejections() {
  const Store& store = daemon_->stack().store();
  const int stops = stops_beside_gate_ - trial_.stops_beside_gate;
  const bool is_disturbed = hands_ - stops != trial_.hands || kills_ - trial_.kills >= max_kills ||
                            needs_a_person() || !worn_out_.empty() || !store.problems().empty();
  // Somebody went back from it.
  if (is_disturbed || trial_.kind == DeploymentKind::operator_rollback) return;
  for (const auto& [number, release] : store.releases()) {
    const std::string& key = release.content_key;
    if (!store.rejected().contains(key) || trial_.rejected.contains(key)) continue;
    const Result<Rendering> rendering = read_rendering(store, number);
    if (!rendering || !works_for_good(*rendering)) continue;
    if (world_.has_hooks && !can_migrate(rendering->service("web"))) continue;
    break_promise("the content of release " + std::to_string(number) + " works, and was rejected");
  }
}

}  // namespace trimtab::simulation
