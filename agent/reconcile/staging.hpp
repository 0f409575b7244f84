// A commit checked out beside the live directory, as it would look there.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

// Where the checkout goes below `staging`, which stands for "/": the live directory's own path, so
// that ".." leads where it leads from the live directory.
std::filesystem::path staged_checkout(const std::filesystem::path& staging,
                                      const std::filesystem::path& live);

// Makes `path`, which lies below `staging`, a link to `target`, if nothing is there yet.
Result<void> link_file(const std::filesystem::path& staging, const std::filesystem::path& path,
                       const std::filesystem::path& target);

// Whether what lies at `path` of the live directory is no file of its commit, nor a folder of such.
bool is_untracked(const std::set<std::string>& tracked, const std::string& path);

// Of a directory that Git tracks files in, no more than this many entries are linked: it may be one
// of uploads. What Compose reads is linked by its name (link_file).
inline constexpr int max_links_of_directory = 1000;

// Links what Git does not track in `live` into `staged`, folder by folder. `tracked`: paths that
// the live checkout's commit has, which are not to be linked: where the new commit lacks them, they
// will be gone.
Result<void> link_untracked(const std::filesystem::path& live, const std::filesystem::path& staged,
                            const std::set<std::string>& tracked);

}  // namespace trimtab
