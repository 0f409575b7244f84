// The promises about how many containers a service has.
#include <algorithm>

#include "tests/simulation/life.hpp"

namespace trimtab::simulation {

// While web is replaced start-first, the daemon stops no container of it before another one works.
// What ends by itself, or by somebody's hands, is not its doing.
void Life::check_start_first() {
  std::set<std::string> well;
  bool all_work = true;
  for (const auto& [id, container] : world_.all) {
    const Container& seen = container.seen;
    if (seen.service != "web" || not_ours_.contains(id)) continue;
    all_work = all_work && container.behaviour.works();
    if (seen.state == ContainerState::running && seen.health == Health::healthy) well.insert(id);
  }
  const std::set<std::string> before = std::exchange(web_well_, std::move(well));
  const bool is_gone =
      web_well_.empty() && std::any_of(before.begin(), before.end(),
                                       [&](auto& id) { return world_.stopped.contains(id); });
  if (!is_gone || !all_work || !daemon_ || hands_ != flight_hands_) return;
  const std::optional<Deployment>& deployment = daemon_->stack().store().in_flight();
  if (!deployment) return;
  const std::vector<std::string> rolled = deployment->plan.with(Action::roll);
  if (std::find(rolled.begin(), rolled.end(), "web") == rolled.end()) return;
  break_promise("web is replaced start-first, and none of its containers works");
}

// Nothing is left over of what was replaced.
void Life::check_containers() {
  if (needs_a_person() || daemon_->stack().store().in_flight()) return;
  std::map<std::string, int> counts;
  for (const auto& [id, container] : world_.all) ++counts[container.seen.service];
  for (const auto& [service, count] : counts) {
    if (count == 1) continue;
    break_promise(service + " has " + std::to_string(count) + " containers at rest");
  }
}

}  // namespace trimtab::simulation
