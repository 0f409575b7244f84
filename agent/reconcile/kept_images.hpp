// Images of releases that are kept no more make room.
#pragma once

#include <string>

#include "agent/docker/docker.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

// Gives the images of the stack's releases the tags that they are kept by: an image whose pull was
// cut off has none yet, and would be nobody's once its release is retired.
Task<Result<void>> tag_images_of_releases(Docker& docker, const Store& store, std::string stack);

// Removes the images that the stack's releases once had and no release in the store names any more.
// What a container, another stack's release or a tag of somebody else's uses stays. False where a
// tag could not go yet.
Task<Result<bool>> remove_retired_images(Docker& docker, const Store& store, std::string stack);

}  // namespace trimtab
