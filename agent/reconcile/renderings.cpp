#include "agent/reconcile/renderings.hpp"

#include "agent/record/rendering.hpp"

namespace trimtab {

Result<void> Renderings::read(int number) const {
  const ReleaseRecord* const release = store_.find(number);
  const std::string key = release == nullptr ? std::string() : release->content_key;
  if (!key.empty() && cached_key_ == key) return {};
  Result<Rendering> rendering = read_rendering(store_, number);
  if (!rendering) return rendering.error();
  cached_ = std::move(*rendering);
  cached_key_ = key;
  return {};
}

Result<Rendering> Renderings::of(int number) const {
  const Result<void> there = read(number);
  if (!there) return there.error();
  return cached_;
}

const Rendering* Renderings::find(int number) const {
  return read(number) ? &cached_ : nullptr;
}

Base Renderings::base_of_plans() const {
  Base base;
  base.running = store_.running();
  for (const int number : releases_of(base.running)) {
    const ReleaseRecord* const release = store_.find(number);
    const Result<Rendering> rendering = of(number);
    if (release != nullptr && rendering) {
      base.releases[number] = {*rendering, release->mounted_files};
    }
  }
  return base;
}

const ReleaseRecord* release_to_go_back_to(const Store& store) {
  const std::optional<Deployment>& deployment = store.in_flight();
  const bool goes_back = deployment && (deployment->phase == Phase::rolling_back ||
                                        deployment->phase == Phase::gating_rollback);
  // A way back that the host holds up ends there, whatever takes its place meanwhile.
  if (goes_back && deployment->fallback != 0) return store.find(deployment->fallback);
  const ReleaseRecord* const ran = store.find(store.running().release);
  if (ran != nullptr && ran->outcome == Outcome::good) return ran;
  const ReleaseRecord* const current = store.current();
  if (current == nullptr || current->outcome == Outcome::good) return current;
  return store.last_good_before(*current);
}

}  // namespace trimtab
