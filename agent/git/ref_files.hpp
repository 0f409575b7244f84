// Reads the refs of a repository that stores them in files, without starting git.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/confined_directory.hpp"

namespace trimtab {

// `git` is the repository relative to the directory; "" if the directory itself is the repository.

// Returns the object id in the ref, following symbolic refs: a commit or a tag object; "" if there
// is none. Does not check that the object exists.
std::string id_of_ref(const ConfinedDirectory& directory, const std::filesystem::path& git,
                      std::string ref);

// Returns the ref that HEAD names; "" if HEAD is detached or unreadable.
std::string branch_of_head(const ConfinedDirectory& directory, const std::filesystem::path& git);

}  // namespace trimtab
