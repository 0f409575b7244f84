#include "agent/reconcile/vain_tries.hpp"

#include <algorithm>

#include "agent/model/deployment.hpp"

namespace trimtab {

bool is_vain(const ReleaseRecord& release) {
  const bool failed = release.outcome == Outcome::rolled_back || release.outcome == Outcome::failed;
  const bool by_host = release.failure && release.failure->cause == FailureCause::host;
  return failed && by_host &&
         std::any_of(
             release.timeline.begin(), release.timeline.end(),
             [](const TimelineEntry& entry) { return entry.phase == to_string(Phase::starting); });
}

int vain_tries(const Releases& releases, const std::string& content_key, WallTime since) {
  int tries = 0;
  for (auto entry = releases.rbegin(); entry != releases.rend(); ++entry) {
    const ReleaseRecord& release = entry->second;
    if (release.content_key != content_key) continue;
    if (!is_vain(release) || release.timeline.front().started_at < since) break;
    ++tries;
  }
  return tries;
}

}  // namespace trimtab
