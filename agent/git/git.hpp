// The seam to Git: one stack's remote, its bare repository, and the folders checked out from it.
#pragma once

#include <filesystem>
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
  std::filesystem::path ca_file;      // PEM, trusted besides the system's; empty: none
  http::Proxies proxies;              // for https:// and http://
};

// What bringing the live directory to a commit did.
struct SwitchReport {
  std::vector<std::string> changed;      // paths written or removed
  std::vector<std::string> local_edits;  // tracked paths that had been edited by hand
  std::filesystem::path saved_patch;     // where their differences were saved; empty: none
};

// Errors of the calls that talk to the remote: unavailable (cannot be reached), denied (credentials
// missing, wrong or expired, or the repository is not visible to them), untrusted (host key or
// certificate), not_found (no such repository, or no such ref: the text says which and names refs
// that exist), invalid (the ref or url is no such thing), timed_out. All are safe to repeat.
class Git {
 public:
  virtual ~Git() = default;

  // Where does the branch, or the newest tag of the pattern (by version order), point? One cheap
  // question to the remote; fetches nothing.
  virtual Task<Result<RefTip>> ask() = 0;

  // How it is asked: "https, protocol 2", or "git program: " and why; "" before the first question.
  [[nodiscard]] virtual std::string transport_in_use() const = 0;

  // No question is expected for a while: closes the connection that is kept for the next one.
  virtual void close_idle_connection() = 0;

  // Brings the ref's history into the bare repository and gives the commit that it has there.
  virtual Task<Result<std::string>> fetch(RefTip tip) = 0;

  // A full or abbreviated commit id that the bare repository has; not_found otherwise.
  virtual Task<Result<std::string>> find_commit(std::string text) = 0;
  virtual Task<Result<CommitInfo>> describe(std::string commit) = 0;
  // False too where one of them is not in the repository.
  virtual Task<Result<bool>> is_ancestor(std::string older, std::string newer) = 0;
  virtual Task<Result<std::vector<TreeEntry>>> tree(std::string commit) = 0;

  // What was done about damage of the bare repository since the last call, in words; "" if nothing
  // was. Then what keep() had kept must be kept anew.
  [[nodiscard]] virtual std::string take_repair_notice() { return {}; }

  // Keeps the commit's objects for as long as the release is kept; asks the remote for them if they
  // are not here.
  virtual Task<Result<void>> keep(std::string commit, int release) = 0;
  virtual Task<Result<void>> drop(int release) = 0;

  // Checks the commit out into `directory`, which is emptied first.
  virtual Task<Result<void>> stage(std::string commit, std::filesystem::path directory) = 0;

  // Brings the live directory from commit `from` ("" where it was never ours) to `to`. Untracked
  // files are left alone; edits of tracked files are saved as a patch under `saved`; files named in
  // `in_place` (relative paths) keep their inode. Safe to repeat after a crash. conflict, and
  // nothing touched, where an untracked file stands where the commit has a different one.
  virtual Task<Result<SwitchReport>> checkout_live(std::filesystem::path directory,
                                                   std::string from, std::string to,
                                                   std::vector<std::string> in_place,
                                                   std::filesystem::path saved) = 0;

  // The untracked files that stand where `commit` has a different one, relative paths.
  virtual Task<Result<std::vector<std::string>>> collisions(std::filesystem::path directory,
                                                            std::string from,
                                                            std::string commit) = 0;

  // The tracked files that were edited by hand and that `commit` has otherwise, relative paths.
  virtual Task<Result<std::vector<std::string>>> edits(std::filesystem::path directory,
                                                       std::string from, std::string commit) = 0;
};

}  // namespace trimtab
