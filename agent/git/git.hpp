// The interface to Git: one stack's remote, its bare repository, and the directories checked out
// from it.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "agent/model/facts.hpp"
#include "common/async.hpp"
#include "common/proxy.hpp"

namespace trimtab {

inline constexpr const char* default_known_hosts = "/etc/trimtab/known_hosts";

struct GitAccess {
  std::string url;                    // https://, ssh://, user@host:path, or a local path
  std::filesystem::path key;          // private SSH key; empty: none
  std::filesystem::path known_hosts;  // pinned host keys; empty: default_known_hosts
  std::filesystem::path token_file;   // for https; "token" or "user:token"; empty: none
  std::filesystem::path ca_file;      // PEM, trusted in addition to the system's; empty: none
  http::Proxies proxies;              // for https:// and http://
};

// What a switch of the live directory to another commit did.
struct SwitchReport {
  std::vector<std::string> changed;      // paths written or removed
  std::vector<std::string> local_edits;  // tracked paths that differed from their commit
  std::filesystem::path saved_patch;     // patch with those edits; empty: there were none
};

// Tells what the ref of one stack's remote points to. Errors as for Git.
class RefSource {
 public:
  virtual ~RefSource() = default;

  // Resolves the branch, or the highest-versioned tag that matches the pattern, to a commit. One
  // ls-refs request; fetches no objects.
  virtual Task<Result<RefTip>> resolve_ref() = 0;

  // The transport that resolve_ref() uses: "https, protocol 2", or "git program: " and the reason;
  // "" before the first request.
  [[nodiscard]] virtual std::string transport_in_use() const = 0;

  // Closes the connection that is kept alive for the next request. To be called when none is
  // expected for a while.
  virtual void close_idle_connection() = 0;
};

// One stack's Git repository.
//
// Calls that talk to the remote fail with unavailable (unreachable), denied (credentials missing,
// wrong or expired, or the repository is not visible to them), untrusted (host key or certificate),
// not_found (no such repository or no such ref; the text says which and names refs that exist),
// invalid (malformed ref or URL) or timed_out. All calls are safe to repeat.
//
// More than 15 members: one per operation that a stack needs from its repository.
class Git : public RefSource {
 public:
  // Fetches the ref's history into the bare repository. Returns the commit that the ref points to
  // there.
  virtual Task<Result<std::string>> fetch(RefTip tip) = 0;

  // Expands a full or abbreviated commit id. not_found if the bare repository has no such commit.
  virtual Task<Result<std::string>> find_commit(std::string text) = 0;
  virtual Task<Result<CommitInfo>> describe(std::string commit) = 0;
  // Returns false also if one of them is not in the repository.
  virtual Task<Result<bool>> is_ancestor(std::string older, std::string newer) = 0;
  virtual Task<Result<std::vector<TreeEntry>>> tree(std::string commit) = 0;

  // Returns and clears a description of the repair of the bare repository since the last call; ""
  // if there was none. After a repair the caller must repeat keep() for every release that it
  // keeps.
  [[nodiscard]] virtual std::string take_repair_notice() { return {}; }

  // Protects the commit's objects from garbage collection until keep_only() leaves out the release.
  // Fetches them from the remote if they are missing.
  virtual Task<Result<void>> keep(std::string commit, int release) = 0;
  // Ends the protection of all other releases, also of those that an earlier run has left.
  virtual Task<Result<void>> keep_only(std::set<int> releases) = 0;

  // Checks the commit out into `directory`, whose content is deleted first.
  virtual Task<Result<void>> stage(std::string commit, std::filesystem::path directory) = 0;

  // Switches the live directory from commit `from` ("" if trimtab never deployed into it) to `to`.
  // Leaves untracked files alone, saves edits of tracked files as a patch in `saved`, and rewrites
  // the files named in `in_place` (relative paths) so that they keep their inode. Safe to repeat
  // after a crash. conflict, with nothing touched, if an untracked file is in the way of a
  // different one in the commit.
  virtual Task<Result<SwitchReport>> checkout_live(std::filesystem::path directory,
                                                   std::string from, std::string to,
                                                   std::vector<std::string> in_place,
                                                   std::filesystem::path saved) = 0;

  // Returns the untracked files that are in the way of different ones in `commit`, as relative
  // paths.
  virtual Task<Result<std::vector<std::string>>> collisions(std::filesystem::path directory,
                                                            std::string from,
                                                            std::string commit) = 0;

  // Returns the locally edited tracked files that a switch to `commit` would change, as relative
  // paths.
  virtual Task<Result<std::vector<std::string>>> edits(std::filesystem::path directory,
                                                       std::string from, std::string commit) = 0;
};

}  // namespace trimtab
