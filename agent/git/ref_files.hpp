// What the refs of a repository that keeps them in files say, read without a child.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/confined_directory.hpp"

namespace trimtab {

// `git` is the repository, relative to the directory; "" where that is one itself.

// The id in the ref, or in the one that it names in turn: of a commit, or of a tag; "" where there
// is none. Whether the object is there is not looked at.
std::string id_of_ref(const ConfinedDirectory& directory, const std::filesystem::path& git,
                      std::string ref);

// The ref that HEAD names; "" where HEAD is a commit itself, or cannot be read.
std::string branch_of_head(const ConfinedDirectory& directory, const std::filesystem::path& git);

}  // namespace trimtab
