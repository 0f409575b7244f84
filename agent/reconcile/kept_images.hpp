// Images of releases that are kept no more make room.
#pragma once

#include <string>

#include "agent/docker/docker.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

// Removes the images that the stack's releases once had and no release in the store names any more.
// What a container, another stack's release or a tag of somebody else's uses stays. False where a
// tag could not go yet.
Task<Result<bool>> remove_retired_images(Docker& docker, const Store& store, std::string stack);

}  // namespace trimtab
