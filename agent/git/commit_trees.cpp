#include "agent/git/commit_trees.hpp"

#include <algorithm>

namespace trimtab {
namespace {

constexpr std::size_t max_commits = 2;
// Roughly 200 KB per commit.
constexpr std::size_t max_entries = 1000;

}  // namespace

const std::vector<TreeEntry>* CommitTrees::find(const std::string& commit) {
  const auto found = std::find_if(trees_.begin(), trees_.end(),
                                  [&](const auto& tree) { return tree.first == commit; });
  if (found == trees_.end()) return nullptr;
  trees_.splice(trees_.begin(), trees_, found);
  return &found->second;
}

void CommitTrees::keep(const std::string& commit, const std::vector<TreeEntry>& entries) {
  if (entries.size() > max_entries || find(commit) != nullptr) return;
  trees_.emplace_front(commit, entries);
  if (trees_.size() > max_commits) trees_.pop_back();
}

}  // namespace trimtab
