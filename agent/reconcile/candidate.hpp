// Builds a candidate release from a commit and the registries' answers, without touching anything
// live.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/compose/compose.hpp"
#include "agent/config/settings.hpp"
#include "agent/docker/docker.hpp"
#include "agent/execute/own_containers.hpp"
#include "agent/git/workspace.hpp"
#include "agent/model/facts.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"
#include "agent/record/store.hpp"
#include "agent/registry/registry.hpp"
#include "agent/resolve/images.hpp"
#include "agent/resolve/keys.hpp"

namespace trimtab {

struct CandidateDeps {
  const StackSettings& settings;
  Registry& registry;
  Docker& docker;
  Compose& compose;
  Store& store;
  Platform host;  // without an architecture while Docker has not told
};

// A release that is not numbered yet, and what preflight needs to know about it.
struct Candidate {
  Release release;
  std::vector<std::string> notices;  // for people
  Rendering rendering;
  std::vector<TreeEntry> tree;
  std::set<std::string> tracked_live;  // paths that the live directory's commit has
  std::vector<std::string> unset_variables;
  std::vector<std::string> compose_warnings;
  std::set<DollarValue> dollar_values;
  std::string env_file;                            // the one that was read; "" if there is none
  std::map<std::string, std::string> input_bytes;  // untracked files that were read
  std::map<std::string, ImageReference> watched;   // tags to watch from now on
  std::set<std::string> built_images_missing;
  std::vector<std::string> missing_images;  // not in their registries (yet)
  std::vector<std::string> files;           // the compose files, relative paths
  ProjectContainers running;                // if nothing was deployed yet
};

// The result of building a candidate.
struct CandidateResult {
  Release release;                           // as far as it was built: commit, subject, inputs
  Inputs inputs;                             // everything that was read
  std::optional<Candidate> candidate;        // complete, unless it has missing images
  std::optional<PreflightFinding> rejected;  // the commit is at fault
  std::optional<Error> world;                // to be retried
};

// `facts`: what the watchers know; digests that are resolved here are added. If a stack is taken
// over, the images of the running containers are kept.
Task<CandidateResult> build_candidate(CandidateDeps deps, WorkspaceLock& workspace, RefTip tip,
                                      Facts* facts);

// Renders a release again from its commit and the copies of its inputs, because another Compose is
// installed now, or because its compose.yaml is damaged; in that case the result must be the same.
// `any_version`: a rendering by any Compose of the same family is kept.
Task<Result<void>> rerender_for_current_compose(CandidateDeps deps, WorkspaceLock& workspace,
                                                int number, bool any_version);

}  // namespace trimtab
