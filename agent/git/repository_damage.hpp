// Detects damage of the daemon's own bare repository. It is checked (git fsck, at most once per
// hour) when Git fails and the remote, the host or the commit is not the cause. A damaged
// repository is fetched anew beside the old one, from which the releases that are still readable
// are copied first.
#pragma once

#include <filesystem>
#include <string>

#include "common/async.hpp"

namespace trimtab {

// Returns what is wrong, in Git's words: unreadable settings or HEAD, refs that point to nothing,
// objects that are missing or corrupt. Returns "" if the repository is sound or absent, or if the
// check itself failed. Reads every object.
Task<std::string> find_damage(std::filesystem::path repository);

}  // namespace trimtab
