// A commit checked out beside the live directory, as it would look there.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

// Links what Git does not track in `live` into `staged`, folder by folder. `tracked`: paths that
// the live checkout's commit has, which are not to be linked: where the new commit lacks them, they
// will be gone.
Result<void> link_untracked(const std::filesystem::path& live, const std::filesystem::path& staged,
                            const std::set<std::string>& tracked);

}  // namespace trimtab
