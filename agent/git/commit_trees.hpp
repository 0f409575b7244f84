// The files of the commits that were asked for last: each deployment asks several times for those
// of two commits.
#pragma once

#include <list>
#include <string>
#include <utility>
#include <vector>

#include "agent/model/facts.hpp"

namespace trimtab {

class CommitTrees {
 public:
  // Null where they are not kept; valid until the next call of keep() or forget().
  [[nodiscard]] const std::vector<TreeEntry>* find(const std::string& commit);
  // Caches the tree, which never changes. Large trees are left out to save memory.
  void keep(const std::string& commit, const std::vector<TreeEntry>& entries);
  void forget() { trees_.clear(); }

 private:
  std::list<std::pair<std::string, std::vector<TreeEntry>>> trees_;  // the last used first
};

}  // namespace trimtab
