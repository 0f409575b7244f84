#include "agent/sources/git_watcher.hpp"

#include "agent/sources/backoff.hpp"

namespace trimtab {

namespace {

// Servers close connections that are idle for longer.
constexpr std::chrono::seconds max_idle{60};

}  // namespace

GitWatcher::GitWatcher(asio::any_io_executor executor, RefSource& remote,
                       std::chrono::milliseconds interval, Fact<RefTip>& fact,
                       std::function<void(bool is_news)> asked)
    : remote_(remote),
      interval_(interval),
      fact_(fact),
      asked_(std::move(asked)),
      wake_(std::move(executor)) {}

Task<void> GitWatcher::run() {
  for (;;) {
    next_poll_at_ = SteadyClock::now();
    Result<RefTip> tip = co_await remote_.resolve_ref();
    if (!tip && tip.error().code == Errc::cancelled) co_return;
    std::chrono::milliseconds timeout{0};
    bool is_news = false;
    if (tip) {
      is_news = fact_.succeed(std::move(*tip));
    } else {
      timeout = tip.error().retry_after;
      is_news = fact_.fail(tip.error());
    }
    asked_(is_news);
    const auto wait = std::max(timeout, next_interval(interval_, fact_.failures, random_jitter()));
    if (wait > max_idle) remote_.close_idle_connection();
    const auto now = SteadyClock::now();
    next_poll_at_ = now + wait;
    bool woken = co_await wake_.wait_until(next_poll_at_);
    // poll_now() must not cut short the backoff that a server asked for.
    while (woken && SteadyClock::now() < now + timeout) {
      woken = co_await wake_.wait_until(now + timeout);
    }
  }
}

}  // namespace trimtab
