// What is known of a release: itself, and what its deployments say became of it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/deployment.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

// Is made from the release and its deployments, and never written.
struct ReleaseRecord : Release {
  int deployment = 0;    // the newest one of it, by id; 0: none was begun
  int made_good_by = 0;  // the newest one that it is good by, by id; 0: it is not good
  Outcome outcome = Outcome::in_progress;
  std::optional<Failure> failure;
  // The release of other content that ran when it was deployed; 0: none did; unset: not known.
  std::optional<int> previous;
  std::string cause;
  Plan plan;
  std::vector<PreflightFinding> findings;
  std::vector<std::string> notices;
  std::vector<TimelineEntry> timeline;  // of the newest deployment
  std::vector<HookRun> hooks;
  SeenContainers seen;         // its containers, as they passed a gate last
  std::set<std::string> jobs;  // services that had done their work and exited with 0 by then
  // Until then it goes back by itself if it breaks; unset: no longer.
  std::optional<WallTime> probation_until;
};

using Releases = std::map<int, ReleaseRecord>;  // by number
using Deployments = std::map<int, Deployment>;  // by id

// `deployments`: all that are known, also of other releases, which may have gone back to this one.
ReleaseRecord record_of(const Release& release, const Deployments& deployments);

// What runs, as far as the deployments tell: what was verified last, without what was begun since.
RunningSet running_by_deployments(const Deployments& deployments);

// The ids of those that nothing needs any more: all but the newest of each release that is kept,
// and those by which it is known what became of it.
std::vector<int> outlived_deployments(const Deployments& deployments, const Releases& kept);

}  // namespace trimtab
