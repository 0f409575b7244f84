// The live directory's own .git: kept as plain as its owner would have it after `git pull`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/git/remote.hpp"
#include "common/async.hpp"

namespace trimtab {

// The commit that the clone in `directory` has checked out; "" where there is no clone or commit.
Task<std::string> clone_head(std::filesystem::path directory);

struct CloneUpdate {
  std::filesystem::path repository;  // our bare one
  std::filesystem::path state;       // ours, where things are made
  std::filesystem::path directory;
  std::filesystem::path index;  // that describes the directory at `commit`
  std::string commit;
  std::string url;
  WantedRef ref;
};

// Makes a clone of the directory where it is none; then gives it the commit's objects, sets its
// branch and HEAD to the commit and its index to what is checked out, and touches no file beside
// .git. Commits that only this clone has stay reachable under refs/trimtab/saved/. A .git that is
// no folder (a linked worktree) is left alone.
Task<Result<void>> update_clone(CloneUpdate update);

}  // namespace trimtab
