// One stack's bare repository, staging directory and live checkout, and the lock on them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "agent/git/git.hpp"
#include "common/async_mutex.hpp"

namespace trimtab {

class WorkspaceLock;

class Workspace {
 public:
  // `state`: the stack's own directory below the state directory. `live`: its live checkout.
  Workspace(asio::any_io_executor executor, std::unique_ptr<Git> git, std::filesystem::path state,
            std::filesystem::path live)
      : git_(std::move(git)),
        state_(std::move(state)),
        live_(std::move(live)),
        lock_(std::move(executor)) {}

  // Where the bare repository of a stack is.
  static std::filesystem::path repository_in(const std::filesystem::path& state) {
    return state / "repo.git";
  }

  // Asks the remote only, and therefore needs no lock.
  [[nodiscard]] RefSource& remote() const { return *git_; }

  // Waiters are served in order of arrival.
  Task<WorkspaceLock> lock();
  // Nothing if somebody else holds it.
  std::optional<WorkspaceLock> try_lock();

 private:
  friend class WorkspaceLock;

  std::unique_ptr<Git> git_;
  std::filesystem::path state_;
  std::filesystem::path live_;
  AsyncMutex lock_;
};

// Exclusive use of a workspace until it is destroyed: the only way to the repository and the
// directories, so that no two can work in them at once. The workspace outlives it.
class WorkspaceLock {
 public:
  WorkspaceLock(Workspace* workspace, AsyncMutex::Guard guard)
      : workspace_(workspace), guard_(std::move(guard)) {}

  [[nodiscard]] Git& git() const { return *workspace_->git_; }

  [[nodiscard]] const std::filesystem::path& live() const { return workspace_->live_; }
  // Stands for "/" while a commit is rendered.
  [[nodiscard]] std::filesystem::path staging() const { return workspace_->state_ / "staging"; }
  // Where a commit is checked out to be rendered: the live directory's own path below staging(), so
  // that ".." leads where it leads from the live directory.
  [[nodiscard]] std::filesystem::path checkout() const {
    return staging() / live().lexically_normal().relative_path();
  }
  // Where the files of a release are checked out to be tried.
  [[nodiscard]] std::filesystem::path trial() const { return workspace_->state_ / "trial"; }
  // Where patches with local edits are kept.
  [[nodiscard]] std::filesystem::path saved() const { return workspace_->state_ / "saved"; }

  // Removes everything below staging(), on the disk thread: a repository may have many files.
  Task<Result<void>> empty_staging() const;

 private:
  Workspace* workspace_;
  AsyncMutex::Guard guard_;
};

}  // namespace trimtab
