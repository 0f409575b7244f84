#include "agent/reconcile/observer.hpp"

#include "agent/plan/diff.hpp"

namespace trimtab {
namespace {

constexpr auto volumes_interval = std::chrono::seconds(30);

}  // namespace

std::vector<Container> Observer::of_release(const ProjectContainers& found) const {
  const ReleaseRecord* const current = store_.current();
  if (current == nullptr) return found.own;
  const Rendering* const rendering = renderings_.find(current->number);
  if (rendering == nullptr) return found.own;
  return without_hand_made_rest(found.own, found.signs, *rendering);
}

Task<Result<Observation>> Observer::observe(std::string project, Observation before) {
  auto found = co_await project_containers(docker_, settings_, store_, std::move(project));
  if (!found) co_return found.error();
  Observation now;
  now.own.at = wall_now();
  now.of_release.containers = of_release(*found);
  now.of_release.at = now.own.at;
  now.own.containers = std::move(found->own);
  now.foreign = std::move(found->foreign);
  now.signs = std::move(found->signs);
  const ReleaseRecord* const current = store_.current();
  if (current == nullptr) co_return now;
  const int number = current->number;
  const Result<Rendering> rendering = renderings_.of(number);
  if (!rendering) {
    now.lost_volumes = std::move(before.lost_volumes);
    co_return now;
  }
  now.lost_volumes =
      co_await check_volumes(&*rendering, now.own.containers, std::move(before.lost_volumes));
  if (store_.running().release == number || !store_.in_flight()) {
    now.drift = drift(number, store_.running(), *rendering, now.of_release);
  }
  co_return now;
}

Task<std::vector<LostVolume>> Observer::check_volumes(const Rendering* rendering,
                                                      std::vector<Container> own,
                                                      std::vector<LostVolume> before) {
  const ReleaseRecord current = *store_.current();
  if (current.seen.empty()) co_return std::vector<LostVolume>();
  // The Engine keeps volumes that a container mounts, so it need not be asked about those each
  // time.
  std::set<std::string> present;
  for (const Container& container : own) {
    for (const auto& [target, volume] : container.volumes) present.insert(volume);
  }
  std::vector<LostVolume> lost = lost_volumes(current, *rendering, present);
  const auto now = SteadyClock::now();
  if (lost.empty() && before.empty() && now < volumes_until_) co_return lost;
  volumes_until_ = now + volumes_interval;
  const auto all = co_await docker_.volumes();
  if (!all) co_return before;
  co_return lost_volumes(current, *rendering, *all);
}

}  // namespace trimtab
