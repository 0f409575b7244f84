// The promises about containers and volumes: nobody else's is touched, and of ours none is missing
// or left over.
#include <algorithm>

#include "tests/simulation/life.hpp"

namespace trimtab::simulation {
namespace {

// Web is replaced start-first in it.
bool is_rolled(const Deployment& deployment) {
  const std::vector<std::string> rolled = deployment.plan.with(Action::roll);
  return std::find(rolled.begin(), rolled.end(), "web") != rolled.end();
}

}  // namespace

bool Life::is_ours(const WorldContainer& container) const {
  return !container.seen.oneoff && !not_ours_.contains(container.seen.id);
}

// While web is replaced start-first, the daemon stops no container of it before another one works.
// What ends by itself, or by somebody's hands, is not its doing.
void Life::check_start_first() {
  std::map<std::string, WorldTime> well;
  bool all_work = true;
  for (const auto& [id, container] : world_.all) {
    const Container& seen = container.seen;
    if (seen.service != "web" || !is_ours(container)) continue;
    all_work = all_work && container.behaviour.works();
    if (seen.state != ContainerState::running || seen.health != Health::healthy) continue;
    const auto earlier = web_well_.find(id);
    well[id] = earlier == web_well_.end() ? world_.now() : earlier->second;
  }
  const std::map<std::string, WorldTime> before = std::exchange(web_well_, std::move(well));
  if (daemon_) check_what_failed_is_gone();
  const bool is_gone =
      web_well_.empty() && std::any_of(before.begin(), before.end(), [&](const auto& one) {
        const auto& [id, since] = one;
        const auto found = world_.all.find(id);
        const bool runs =
            found != world_.all.end() && found->second.seen.state == ContainerState::running;
        return world_.stopped.contains(id) && !runs;
      });
  if (!is_gone || !all_work || !daemon_ || hands_ != flight_hands_) return;
  const std::optional<Deployment>& deployment = daemon_->stack().store().in_flight();
  if (!deployment || !is_rolled(*deployment)) return;
  break_promise("web is replaced start-first, and none of its containers works");
}

// Where the old one works, the new one that does not is gone once it begins to go back. An old one
// that works since this moment alone did not when the daemon looked.
void Life::check_what_failed_is_gone() {
  const std::optional<Deployment>& deployment = daemon_->stack().store().in_flight();
  const bool goes_back = deployment && deployment->phase == Phase::rolling_back;
  if (!goes_back || std::exchange(went_back_, deployment->id) == deployment->id) return;
  if (hands_ != flight_hands_ || kills_ != flight_kills_) return;
  const RunningService* const ran = deployment->from.find("web");
  const bool is_on_probation = deployment->kind == DeploymentKind::probation_rollback;
  if (ran == nullptr || is_on_probation || !is_rolled(*deployment)) return;
  const std::set<std::string>& old = ran->containers;
  const bool old_works = std::any_of(old.begin(), old.end(), [&](const std::string& id) {
    const auto found = web_well_.find(id);
    return found != web_well_.end() && world_.now() - found->second >= std::chrono::seconds(1);
  });
  if (!old_works) return;
  for (const auto& [id, container] : world_.all) {
    const bool is_new = container.seen.service == "web" && is_ours(container) &&
                        container.seen.created_at >= deployment->started_at;
    if (is_new && !web_well_.contains(id)) {
      break_promise("a new container of web that does not work is left beside the old one");
    }
  }
}

void Life::check_volumes() {
  for (const auto& [name, volume] : world_.volumes) {
    const int first = volumes_made_.try_emplace(name, volume.made).first->second;
    if (first != volume.made) return break_promise("the volume " + name + " was made anew");
  }
  for (const auto& [name, made] : volumes_made_) {
    if (world_.volumes.contains(name) || lost_volumes_.contains(name)) continue;
    return break_promise("the volume " + name + " is gone");
  }
}

void Life::check_what_is_not_ours() {
  // As the unit's Compose does it where trimtab has not seen it yet.
  std::erase_if(not_ours_,
                [this](const std::string& id) { return world_.removed_at_boot.contains(id); });
  for (const std::string& id : not_ours_) {
    const auto found = world_.all.find(id);
    if (found == world_.all.end()) return break_promise("somebody else's container was removed");
    if (world_.stopped.contains(id)) return break_promise("somebody else's container was stopped");
  }
}

// Nothing is left over of what was replaced.
void Life::check_containers() {
  if (needs_a_person() || daemon_->stack().store().in_flight()) return;
  std::map<std::string, int> counts;
  for (const auto& [id, container] : world_.all) {
    if (is_ours(container)) ++counts[container.seen.service];
  }
  for (const auto& [service, count] : counts) {
    if (count == 1) continue;
    break_promise(service + " has " + std::to_string(count) + " containers at rest");
  }
}

}  // namespace trimtab::simulation
