// The seam to Git by the program git; questions to the remote go without it where they can.
#pragma once

#include "agent/git/git.hpp"
#include "agent/git/git_child.hpp"
#include "agent/git/live_checkout.hpp"
#include "agent/git/remote.hpp"
#include "agent/git/smart_http.hpp"

namespace trimtab {

// For one stack. `repository` is the bare repository, made when it is first needed; index files go
// into the folder git of `state`. Both belong to this object alone, in one process; calls that
// change something must not overlap. An url or ref that is none shows as invalid from each call
// that needs it.
class GitProgram final : public Git {
 public:
  GitProgram(GitAccess access, std::string ref, std::filesystem::path repository,
             std::filesystem::path state);

  Task<Result<RefTip>> ask() override;
  [[nodiscard]] std::string asked_by() const override;
  void let_go() override;
  Task<Result<std::string>> fetch(RefTip tip) override;
  Task<Result<std::string>> find_commit(std::string text) override;
  Task<Result<CommitInfo>> describe(std::string commit) override;
  Task<Result<bool>> is_ancestor(std::string older, std::string newer) override;
  Task<Result<std::vector<TreeEntry>>> tree(std::string commit) override;
  Task<Result<void>> keep(std::string commit, int release) override;
  Task<Result<void>> drop(int release) override;
  Task<Result<void>> stage(std::string commit, std::filesystem::path directory) override;
  Task<Result<SwitchReport>> bring_to(std::filesystem::path directory, std::string from,
                                      std::string to, std::vector<std::string> in_place,
                                      std::filesystem::path saved) override;
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

  GitAccess access_;
  Result<Remote> remote_;
  Result<WantedRef> wanted_;
  std::filesystem::path repository_;
  std::filesystem::path state_;
  LiveCheckout live_;
  std::optional<SmartHttp> web_;  // none without a remote
  bool prepared_ = false;
};

}  // namespace trimtab
