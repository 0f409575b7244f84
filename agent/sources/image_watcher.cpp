#include "agent/sources/image_watcher.hpp"

#include <algorithm>

#include "agent/sources/backoff.hpp"

namespace trimtab {
namespace {

// A missing image may be pushed at any time, so its interval doubles only this many times.
constexpr int max_missing_backoff = 2;

}  // namespace

ImageWatcher::ImageWatcher(asio::any_io_executor executor, Registry& registry,
                           std::chrono::milliseconds interval,
                           std::map<std::string, Fact<std::string>>& facts,
                           std::function<void(bool is_news)> asked)
    : registry_(registry),
      interval_(interval),
      facts_(facts),
      asked_(std::move(asked)),
      wake_(std::move(executor)) {}

void ImageWatcher::watch(std::map<std::string, ImageReference> images) {
  images_ = std::move(images);
  std::erase_if(facts_, [&](const auto& fact) { return !images_.contains(fact.first); });
}

Task<void> ImageWatcher::run() {
  struct Due {
    SteadyClock::time_point time;
    bool is_told = false;  // set by the registry's Retry-After
  };
  std::map<std::string, Due> due;  // failing images are polled less often
  bool all = true;
  for (;;) {
    const double jitter = random_jitter();
    const auto begun = SteadyClock::now();
    bool is_news = false;
    const std::map<std::string, ImageReference> images = images_;
    std::erase_if(due, [&](const auto& entry) { return !images.contains(entry.first); });
    for (const auto& [text, reference] : images) {
      const auto mine = due.find(text);
      const bool early = mine != due.end() && mine->second.time > begun;
      if (early && (!all || mine->second.is_told)) continue;
      next_poll_at_ = SteadyClock::now();
      Result<std::string> digest = co_await registry_.digest_of(reference);
      if (!digest && digest.error().code == Errc::cancelled) co_return;
      if (!images_.contains(text)) continue;
      Fact<std::string>& fact = facts_[text];
      std::chrono::milliseconds timeout{0};
      if (digest) {
        is_news |= fact.succeed(std::move(*digest));
      } else {
        is_news |= fact.fail(digest.error());
        timeout = digest.error().retry_after;
      }
      const bool answered = digest || digest.error().code == Errc::not_found;
      const int failures = answered ? std::min(fact.failures, max_missing_backoff) : fact.failures;
      const auto usual = begun + next_interval(interval_, failures, jitter);
      const auto told = SteadyClock::now() + timeout;
      due[text] = Due{std::max(usual, told), told > usual};
    }
    asked_(is_news);
    next_poll_at_ = begun + next_interval(interval_, 0, jitter);
    for (const auto& [text, mine] : due) next_poll_at_ = std::min(next_poll_at_, mine.time);
    all = co_await wake_.wait_until(next_poll_at_);
  }
}

}  // namespace trimtab
