#include "agent/reconcile/docker_return.hpp"

#include <algorithm>

#include "agent/plan/diff.hpp"

namespace trimtab {

std::vector<Container> not_restarted_by_docker(const std::vector<Container>& now,
                                               const std::vector<Container>& before,
                                               const ReleaseRecord* release) {
  std::vector<Container> result;
  for (const Container& container : now) {
    const bool ran = std::any_of(before.begin(), before.end(), [&](const Container& known) {
      return known.id == container.id && known.state == ContainerState::running;
    });
    const bool down =
        container.state == ContainerState::exited && !is_finished_job(container, release);
    if (ran && down) result.push_back(container);
  }
  return result;
}

std::vector<Container> restarted_by_docker(const std::vector<Container>& now, WallTime until,
                                           const std::set<std::string>& by_hand) {
  std::vector<Container> result;
  for (const Container& container : now) {
    const bool runs =
        container.state == ContainerState::running || container.state == ContainerState::restarting;
    if (runs && container.started_at <= until && !by_hand.contains(container.id)) {
      result.push_back(container);
    }
  }
  return result;
}

}  // namespace trimtab
