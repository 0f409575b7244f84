// Caches the file lists of the most recently used commits: every deployment asks several times for
// the lists of the same two commits.
#pragma once

#include <list>
#include <string>
#include <utility>
#include <vector>

#include "agent/model/facts.hpp"

namespace trimtab {

class CommitTrees {
 public:
  // Returns null if the commit is not cached. The pointer is valid until the next keep() or
  // forget().
  [[nodiscard]] const std::vector<TreeEntry>* find(const std::string& commit);
  // Caches the tree; a commit's tree never changes, so entries do not expire. Large trees are left
  // out to save memory.
  void keep(const std::string& commit, const std::vector<TreeEntry>& entries);
  void forget() { trees_.clear(); }

 private:
  std::list<std::pair<std::string, std::vector<TreeEntry>>> trees_;  // most recently used first
};

}  // namespace trimtab
