// The seam to Git by the program git; questions to the remote go without it where they can.
#pragma once

#include "agent/git/git.hpp"
#include "agent/git/git_child.hpp"
#include "agent/git/live_checkout.hpp"
#include "agent/git/remote.hpp"
#include "agent/git/smart_http.hpp"

namespace trimtab {

// A bare repository that turns out to be damaged is fetched anew, and what failed is tried again.
//
// For one stack. `repository` is the bare repository, made when it is first needed; index files go
// into the folder git of `state`. Both belong to this object alone, in one process; calls that
// change something must not overlap. An url or ref that is none shows as invalid from each call
// that needs it.
class GitProgram final : public Git {
 public:
  GitProgram(GitAccess access, std::string ref, std::filesystem::path repository,
             std::filesystem::path state);

  Task<Result<RefTip>> ask() override;
  [[nodiscard]] std::string transport_in_use() const override;
  void close_idle_connection() override;
  Task<Result<std::string>> fetch(RefTip tip) override;
  Task<Result<std::string>> find_commit(std::string text) override;
  Task<Result<CommitInfo>> describe(std::string commit) override;
  Task<Result<bool>> is_ancestor(std::string older, std::string newer) override;
  Task<Result<std::vector<TreeEntry>>> tree(std::string commit) override;
  [[nodiscard]] std::string take_repair_notice() override;
  Task<Result<void>> keep(std::string commit, int release) override;
  Task<Result<void>> drop(int release) override;
  Task<Result<void>> stage(std::string commit, std::filesystem::path directory) override;
  Task<Result<SwitchReport>> checkout_live(std::filesystem::path directory, std::string from,
                                           std::string to, std::vector<std::string> in_place,
                                           std::filesystem::path saved) override;
  Task<Result<std::vector<std::string>>> edits(std::filesystem::path directory, std::string from,
                                               std::string commit) override;
  Task<Result<std::vector<std::string>>> collisions(std::filesystem::path directory,
                                                    std::string from, std::string commit) override;

 private:
  // Makes the repository and clears what a killed git left behind; once, and after each failure.
  Task<Result<void>> prepare();
  [[nodiscard]] GitCall call(std::vector<std::string> arguments) const;
  [[nodiscard]] Result<GitCall> remote_call(std::vector<std::string> arguments) const;
  // The remote's refs that begin with `prefix`, which is in refs/heads/ or refs/tags/.
  Task<Result<std::vector<AdvertisedRef>>> list(std::string prefix);
  Task<Error> missing_ref();

  // The calls above, once.
  Task<Result<std::string>> fetch_once(RefTip tip);
  Task<Result<CommitInfo>> describe_once(std::string commit);
  Task<Result<std::vector<TreeEntry>>> tree_once(std::string commit);
  Task<Result<void>> keep_once(std::string commit, int release);
  Task<Result<void>> stage_once(std::string commit, std::filesystem::path directory);
  Task<Result<SwitchReport>> bring_to_once(std::filesystem::path directory, std::string from,
                                           std::string to, std::vector<std::string> in_place,
                                           std::filesystem::path saved);
  Task<Result<std::string>> fetch_into(std::filesystem::path repository, RefTip tip);
  Task<Result<void>> fetch_commit(std::string commit);
  // The commit that was fetched last; "" where only Git can say it.
  [[nodiscard]] std::string fetched_tip(const std::filesystem::path& repository) const;
  // Runs it, and once more if it failed because of damage that could be repaired.
  template <class Operation>
  auto repairing(Operation operation) -> decltype(operation());
  // Whether the failure was due to damage of the repository, which is repaired now.
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
  std::optional<SmartHttp> web_;  // none without a remote
  bool prepared_ = false;
  std::string repair_notice_;
  // Until then neither sought nor repaired again: both read, or fetch, all there is.
  SteadyClock::time_point next_repair_;
};

}  // namespace trimtab
