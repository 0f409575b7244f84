// Removes the images of releases that are no longer kept.
#pragma once

#include <string>

#include "agent/docker/docker.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

// Gives the images of the stack's releases the tags that protect them: an image whose pull was cut
// off has none yet, and would be left over once its release is removed.
Task<Result<void>> tag_images_of_releases(Docker& docker, const Store& store, std::string stack);

// Removes the images that the stack's releases once had and that no release in the store has any
// more. Keeps those used by a container, a release of another stack or a foreign tag. Returns false
// if a tag could not be removed yet.
Task<Result<bool>> remove_retired_images(Docker& docker, const Store& store, std::string stack);

}  // namespace trimtab
