// Implements Git with the git program. Resolving refs avoids starting it where the remote's
// protocol permits.
#pragma once

#include "agent/git/git.hpp"
#include "agent/git/git_child.hpp"
#include "agent/git/live_checkout.hpp"
#include "agent/git/remote.hpp"
#include "agent/git/smart_http.hpp"

namespace trimtab {

// Git for one stack. A bare repository that turns out to be damaged is fetched anew, and the failed
// call is repeated.
//
// `repository` is the bare repository, which is created on first use; index files go into the
// directory git of `state`. Both belong to this object alone, in one process. Calls that change
// something must not overlap. A malformed URL or ref is reported as invalid by each call that needs
// it.
//
// More than 15 members: Git has 15 calls, all of which share one repository.
class GitProgram final : public Git {
 public:
  GitProgram(GitAccess access, std::string ref, std::filesystem::path repository,
             std::filesystem::path state);

  Task<Result<RefTip>> resolve_ref() override;
  [[nodiscard]] std::string transport_in_use() const override;
  void close_idle_connection() override;
  Task<Result<std::string>> fetch(RefTip tip) override;
  Task<Result<std::string>> find_commit(std::string text) override;
  Task<Result<CommitInfo>> describe(std::string commit) override;
  Task<Result<bool>> is_ancestor(std::string older, std::string newer) override;
  Task<Result<std::vector<TreeEntry>>> tree(std::string commit) override;
  [[nodiscard]] std::string take_repair_notice() override;
  Task<Result<void>> keep(std::string commit, int release) override;
  Task<Result<void>> keep_only(std::set<int> releases) override;
  Task<Result<void>> stage(std::string commit, std::filesystem::path directory) override;
  Task<Result<SwitchReport>> checkout_live(std::filesystem::path directory, std::string from,
                                           std::string to, std::vector<std::string> in_place,
                                           std::filesystem::path saved) override;
  Task<Result<std::vector<std::string>>> edits(std::filesystem::path directory, std::string from,
                                               std::string commit) override;
  Task<Result<std::vector<std::string>>> collisions(std::filesystem::path directory,
                                                    std::string from, std::string commit) override;

 private:
  // Creates the repository and removes what a killed git left behind; once, and again after each
  // failure.
  Task<Result<void>> prepare();
  [[nodiscard]] GitCall call(std::vector<std::string> arguments) const;
  [[nodiscard]] Result<GitCall> remote_call(std::vector<std::string> arguments) const;
  // Lists the remote's refs that begin with `prefix`, which is below refs/heads/ or refs/tags/.
  Task<Result<std::vector<AdvertisedRef>>> list(std::string prefix);
  Task<Error> missing_ref();

  // The public calls without the repair of a damaged repository.
  Task<Result<std::string>> fetch_once(RefTip tip);
  Task<Result<CommitInfo>> describe_once(std::string commit);
  Task<Result<std::vector<TreeEntry>>> tree_once(std::string commit);
  Task<Result<void>> keep_once(std::string commit, int release);
  Task<Result<void>> stage_once(std::string commit, std::filesystem::path directory);
  Task<Result<SwitchReport>> switch_once(std::filesystem::path directory, std::string from,
                                         std::string to, std::vector<std::string> in_place,
                                         std::filesystem::path saved);
  Task<Result<std::string>> fetch_into(std::filesystem::path repository, RefTip tip);
  Task<Result<void>> fetch_commit(std::string commit);
  // The commit fetched last; "" if only Git can resolve it.
  [[nodiscard]] std::string fetched_tip(const std::filesystem::path& repository) const;
  // Runs the operation, and repeats it once if it failed because of damage that could be repaired.
  template <class Operation>
  auto repairing(Operation operation) -> decltype(operation());
  // Checks the repository after a failure and repairs it. Returns whether it was damaged.
  Task<Result<bool>> repair_after(Error failure);
  Task<Result<void>> make_anew();
  Task<Result<void>> make_empty(std::filesystem::path repository);
  Task<Result<void>> put_in_place(std::filesystem::path fresh);

  GitAccess access_;
  Result<Remote> remote_;
  Result<WantedRef> wanted_;
  std::filesystem::path repository_;
  std::filesystem::path state_;
  CommitTrees trees_;
  LiveCheckout live_;
  std::optional<SmartHttp> web_;  // none if the URL is malformed
  bool prepared_ = false;
  std::string repair_notice_;
  // No check and no repair before this time: a check reads and a repair fetches everything.
  SteadyClock::time_point next_repair_;
};

}  // namespace trimtab
