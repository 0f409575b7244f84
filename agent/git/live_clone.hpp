// Maintains the live directory's own .git, so that it looks to its owner as after a plain `git
// pull`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/git/remote.hpp"
#include "common/async.hpp"

namespace trimtab {

// Returns the commit that the clone in `directory` has checked out; "" if it is no clone or has no
// commit.
Task<std::string> clone_head(std::filesystem::path directory);

// The settings file of a clone that is made for a directory. `ref` is what it follows.
std::string clone_settings(const std::string& url, const WantedRef& ref);

struct CloneUpdate {
  std::filesystem::path repository;  // the daemon's bare repository
  std::filesystem::path state;       // the daemon's own, for temporary files
  std::filesystem::path directory;
  std::filesystem::path index;  // index that describes the directory at `commit`
  std::string commit;
  std::string url;
  WantedRef ref;
};

// Makes the directory a clone if it is none. Then adds the commit's objects, points branch and HEAD
// at the commit, and sets the index to what is checked out. Touches nothing outside .git. Commits
// that only this clone has stay reachable under refs/trimtab/saved/. A .git that is not a directory
// (a linked worktree) is left alone.
Task<Result<void>> update_clone(CloneUpdate update);

}  // namespace trimtab
