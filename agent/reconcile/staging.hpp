// A commit checked out beside the live directory, as it would be there.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "agent/git/workspace.hpp"
#include "agent/reconcile/compose_inputs.hpp"
#include "common/json.hpp"

namespace trimtab {

// Create a file with this content, or an empty directory, at `path` if that is below `staging` and
// does not exist yet.
Result<void> put_file(const std::filesystem::path& staging, const std::filesystem::path& path,
                      std::string_view content);
Result<void> put_directory(const std::filesystem::path& staging, const std::filesystem::path& path);

// Creates the directories from which images are built in the live directory, empty: docker-compose
// 1 requires that they exist, and does not read them. `base`: what the compose file's paths are
// relative to.
Result<void> put_build_contexts(const WorkspaceLock& workspace, const Json& raw,
                                const std::string& base, const Variables& variables);

// Removes the file that put_file() created at `path`.
Result<void> take_file(const std::filesystem::path& staging, const std::filesystem::path& path);

// Returns whether `path` of the live directory is neither a file of its commit nor a directory of
// such files.
bool is_untracked(const std::set<std::string>& tracked, const std::string& path);

// At most this many entries of a directory with tracked files are linked: it may contain uploads.
inline constexpr int max_links_of_directory = 1000;

// Links the untracked files of `live` into `staged`, for our own checks only: the owner of `live`
// decides where the links lead, so Compose must not see them. `tracked`: the paths of the live
// checkout's commit, which are not linked: those that the new commit lacks will be removed.
Result<void> link_untracked(const std::filesystem::path& live, const std::filesystem::path& staged,
                            const std::set<std::string>& tracked);

}  // namespace trimtab
