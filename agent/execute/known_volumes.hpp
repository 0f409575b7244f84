// The volumes with which the stack's releases have run, and whether they still exist.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/docker/docker.hpp"
#include "agent/plan/volumes.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

// Returns the named volumes of services that have run in the releases that matter for `number`:
// itself, the current one, the running ones, and those of the deployment in flight. None from a
// damaged rendering.
std::vector<LostVolume> known_volumes(const Store& store, int number);

// Fails if one of them no longer exists and Compose would create it again, empty, for the release.
// To be called before Compose runs with the file, because it creates all volumes of the file,
// whatever it is called for. All outlives the call. Errors: conflict, which names one; those of
// Docker.
Task<Result<void>> volumes_are_there(Docker& docker, const Store& store, Rendering release,
                                     int number);

}  // namespace trimtab
