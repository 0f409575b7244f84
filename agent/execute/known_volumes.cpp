#include "agent/execute/known_volumes.hpp"

#include "agent/record/rendering.hpp"

namespace trimtab {

std::vector<LostVolume> known_volumes(const Store& store, int number) {
  std::set<int> numbers{number, store.running().release};
  if (const ReleaseRecord* const current = store.current()) numbers.insert(current->number);
  if (const auto& deployment = store.in_flight()) {
    numbers.insert({deployment->release, deployment->fallback, deployment->checkout});
  }
  std::vector<LostVolume> known;
  for (const int one : numbers) {
    const ReleaseRecord* const release = store.find(one);
    if (release == nullptr || services_that_ran(*release).empty()) continue;
    const Result<Rendering> rendering = read_rendering(store, one);
    if (!rendering) continue;
    const std::vector<LostVolume> ran_with = lost_volumes(*release, *rendering, {});
    known.insert(known.end(), ran_with.begin(), ran_with.end());
  }
  return known;
}

Task<Result<void>> volumes_are_there(Docker& docker, const Store& store, Rendering release,
                                     int number) {
  const std::string project = store.find(number)->project;
  std::vector<LostVolume> needed = made_anew(known_volumes(store, number), release, project);
  if (needed.empty()) co_return Result<void>();
  const auto present = co_await docker.volumes();
  if (!present) co_return present.error();
  for (const LostVolume& known : needed) {
    if (present->contains(known.volume)) continue;
    co_return Error{Errc::conflict, known.text(), known.hint()};
  }
  co_return Result<void>();
}

}  // namespace trimtab
