// What deploying a release would transfer, asked of the registries before anything is touched.
#pragma once

#include <vector>

#include "agent/docker/docker.hpp"
#include "agent/model/manifest.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"
#include "agent/registry/registry.hpp"

namespace trimtab {

struct PullForecast {
  std::vector<ImagePull> pulls;            // images that are not here, each once
  std::vector<PreflightFinding> findings;  // images that this host cannot run
};

// `current`: the release whose images have layers that need not come again; null: none. A registry
// that does not answer leaves sizes unset: the pull will tell. `host` without an architecture is
// taken to run all.
Task<PullForecast> forecast_pulls(Docker& docker, Registry& registry, Platform host,
                                  const Release& next, const Release* current);

}  // namespace trimtab
