#include "agent/record/way_back.hpp"

namespace trimtab {

const ReleaseRecord* way_back_from(const ReleaseRecord& than, const Releases& releases,
                                   const std::set<std::string>& rejected) {
  const auto will_do = [&](const ReleaseRecord& release) {
    return release.outcome == Outcome::good && release.content_key != than.content_key &&
           !rejected.contains(release.content_key);
  };
  const auto find = [&](int number) -> const ReleaseRecord* {
    const auto found = releases.find(number);
    return found == releases.end() ? nullptr : &found->second;
  };
  int below = than.number;
  for (const ReleaseRecord* at = &than;
       at != nullptr && at->previous && *at->previous < at->number;) {
    below = *at->previous;
    at = find(below);
    if (at != nullptr && will_do(*at)) return at;
  }
  for (auto entry = releases.rbegin(); entry != releases.rend(); ++entry) {
    if (entry->first < below && will_do(entry->second)) return &entry->second;
  }
  return nullptr;
}

}  // namespace trimtab
