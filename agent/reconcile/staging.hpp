// A commit checked out beside the live directory, as it would look there.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "agent/git/workspace.hpp"
#include "agent/reconcile/compose_inputs.hpp"
#include "common/json.hpp"

namespace trimtab {

// What Compose is to find at `path`, if that lies below `staging` and nothing is there yet: a file
// with this content, or an empty directory.
Result<void> put_file(const std::filesystem::path& staging, const std::filesystem::path& path,
                      std::string_view content);
Result<void> put_directory(const std::filesystem::path& staging, const std::filesystem::path& path);

// The directories of the live directory that images are built from, empty: docker-compose 1 asks
// for them, and does not look into them. `base`: what the compose file's paths are relative to.
Result<void> put_build_contexts(const WorkspaceLock& workspace, const Json& raw,
                                const std::string& base, const Variables& variables);

// Removes what put_file has put at `path`.
Result<void> take_file(const std::filesystem::path& staging, const std::filesystem::path& path);

// Whether what lies at `path` of the live directory is no file of its commit, nor a directory of
// such.
bool is_untracked(const std::set<std::string>& tracked, const std::string& path);

// Of a directory that Git tracks files in, no more than this many entries are linked: it may be one
// of uploads.
inline constexpr int max_links_of_directory = 1000;

// Links what Git does not track in `live` into `staged`, directory by directory, for us to look at:
// who owns `live` decides where the links lead, so that Compose must not see them. `tracked`: paths
// that the live checkout's commit has, which are not to be linked: where the new commit lacks them,
// they will be gone.
Result<void> link_untracked(const std::filesystem::path& live, const std::filesystem::path& staged,
                            const std::set<std::string>& tracked);

}  // namespace trimtab
