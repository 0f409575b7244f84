// Writes a commit's files into a directory that another user may own.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/model/facts.hpp"
#include "common/confined_directory.hpp"

namespace trimtab {

// Changes to make in the directory. All paths are relative to it.
struct CheckoutChanges {
  std::vector<std::string> removed;
  std::vector<TreeEntry> written;
  std::set<std::string> in_place;  // subset of written: rewritten so that they keep their inode
};

// Removes first, then writes. `source` holds the files to write under the same relative paths, and
// must be writable by the daemon alone. Blocks: call it on the disk thread.
Result<void> write_checkout(const std::filesystem::path& source, const ConfinedDirectory& directory,
                            const CheckoutChanges& changes);

}  // namespace trimtab
