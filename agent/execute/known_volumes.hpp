// The volumes that the stack's releases have run with, and whether they are still there.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/docker/docker.hpp"
#include "agent/plan/volumes.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

// The named volumes of services that ran in the releases that matter for `number`: itself, the
// current one, what runs, and those of the deployment in flight. A damaged rendering names none.
std::vector<LostVolume> known_volumes(const Store& store, int number);

// Those of them that are gone and that Compose would make anew, empty, for the release. Before
// Compose is asked for anything of a file: it makes what the whole file has, whatever it is asked
// for. All outlives the call. Errors: conflict, which names one; those of Docker.
Task<Result<void>> volumes_are_there(Docker& docker, const Store& store, Rendering release,
                                     int number);

}  // namespace trimtab
