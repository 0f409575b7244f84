// Inspects a repository before a stack follows it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/git/remote.hpp"
#include "common/async.hpp"

namespace trimtab::cli {

struct RemoteRefs {
  std::vector<AdvertisedRef> refs;
  std::string default_branch;  // branch that HEAD points to, else the only one; empty: none

  [[nodiscard]] std::vector<std::string> branches() const;
};

RemoteRefs parse_remote_refs(std::string_view ls_remote);

// Lists all refs. Errors as for Git. `directory` is for temporary files of this call.
Task<Result<RemoteRefs>> list_remote(GitAccess access, Remote remote,
                                     std::filesystem::path directory);

// Files of one commit.
struct CommitFiles {
  std::vector<std::string> paths;
  std::map<std::string, std::string> texts;  // contents of Compose files and of .env.example
};

// Fetches only this commit, without its history and its large files, into `directory`.
Task<Result<CommitFiles>> read_commit(GitAccess access, Remote remote, RefTip tip,
                                      std::filesystem::path directory);

}  // namespace trimtab::cli
