// A release together with its results, which are derived from its deployments.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/deployment.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

// Computed from the release and its deployments; never written.
struct ReleaseRecord : Release {
  int deployment = 0;    // id of its newest deployment; 0: none
  int made_good_by = 0;  // id of the newest deployment that made it good; 0: it is not good
  Outcome outcome = Outcome::in_progress;
  std::optional<Failure> failure;
  // The release with different content that was running when it was deployed; 0: none; unset:
  // unknown.
  std::optional<int> previous;
  std::string cause;
  Plan plan;
  std::vector<PreflightFinding> findings;
  std::vector<std::string> notices;
  std::vector<TimelineEntry> timeline;  // of the newest deployment
  std::vector<HookRun> hooks;
  SeenContainers seen;         // its containers when it last passed a gate
  std::set<std::string> jobs;  // services that had exited with 0 by then, their work done
  // The time until which it is rolled back if it breaks; unset: not any more.
  std::optional<WallTime> probation_until;
};

using Releases = std::map<int, ReleaseRecord>;  // by number
using Deployments = std::map<int, Deployment>;  // by id

// `deployments` must contain all known ones, including those of other releases, which may have
// rolled back to this one.
ReleaseRecord record_of(const Release& release, const Deployments& deployments);

// Returns what is running according to the deployments: what was verified last, minus what has been
// touched since.
RunningSet running_by_deployments(const Deployments& deployments);

// Returns the ids of deployments that are no longer needed: all except the newest ones of each kept
// release and those that determine its outcome.
std::vector<int> outlived_deployments(const Deployments& deployments, const Releases& kept);

}  // namespace trimtab
