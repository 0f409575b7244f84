#include "agent/sources/git_watcher.hpp"

#include "agent/sources/backoff.hpp"

namespace trimtab {

GitWatcher::GitWatcher(asio::any_io_executor executor, Git& git, std::chrono::milliseconds interval,
                       Fact<RefTip>& fact, std::function<void()> asked)
    : git_(git),
      interval_(interval),
      fact_(fact),
      asked_(std::move(asked)),
      wake_(std::move(executor)) {}

Task<void> GitWatcher::run() {
  for (;;) {
    Result<RefTip> tip = co_await git_.ask();
    if (tip) {
      fact_.succeed(std::move(*tip));
    } else {
      fact_.fail(tip.error());
    }
    asked_();
    const auto wait = next_interval(interval_, fact_.failures, random_jitter());
    co_await wake_.wait_until(SteadyClock::now() + wait);
  }
}

}  // namespace trimtab
