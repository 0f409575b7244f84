#include "agent/git/workspace.hpp"

#include "common/disk_thread.hpp"
#include "common/files.hpp"

namespace trimtab {

Task<WorkspaceLock> Workspace::lock() {
  AsyncMutex::Guard guard = co_await lock_.lock();
  co_return WorkspaceLock(this, std::move(guard));
}

std::optional<WorkspaceLock> Workspace::try_lock() {
  std::optional<AsyncMutex::Guard> guard = lock_.try_lock();
  if (!guard) return std::nullopt;
  return WorkspaceLock(this, std::move(*guard));
}

Task<Result<void>> WorkspaceLock::empty_staging() const {
  const std::filesystem::path staging = this->staging();
  const auto remove = [&staging] { return remove_tree(staging); };
  co_return co_await on_disk_thread(remove);
}

}  // namespace trimtab
