// What a repository has, before there is a stack that follows it.
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
  std::string default_branch;  // the one that the remote's HEAD names; empty: none that exists

  [[nodiscard]] std::vector<std::string> branches() const;
};

RemoteRefs parse_remote_refs(std::string_view ls_remote);

// Asks for all of them. Errors as those of the Git seam. `folder` is for files of the call's own.
Task<Result<RemoteRefs>> list_remote(GitAccess access, Remote remote, std::filesystem::path folder);

// The files of one commit.
struct CommitFiles {
  std::vector<std::string> paths;
  std::map<std::string, std::string> texts;  // of compose files, and of .env.example
};

// Fetches that commit alone, without its history and its large files, into `folder`.
Task<Result<CommitFiles>> read_commit(GitAccess access, Remote remote, RefTip tip,
                                      std::filesystem::path folder);

}  // namespace trimtab::cli
