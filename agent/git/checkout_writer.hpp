// Writing a commit's files into a directory that somebody else may own.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/model/facts.hpp"
#include "common/confined_directory.hpp"

namespace trimtab {

// What is to be done in the directory, by relative paths.
struct CheckoutChanges {
  std::vector<std::string> removed;
  std::vector<TreeEntry> written;
  std::set<std::string> in_place;  // of the written: those that keep their inode
};

// Removes, then writes; the files to be written lie in `source`, by the same paths, which is ours
// alone. Blocks.
Result<void> write_checkout(const std::filesystem::path& source, const ConfinedDirectory& directory,
                            const CheckoutChanges& changes);

}  // namespace trimtab
