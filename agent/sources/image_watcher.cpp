#include "agent/sources/image_watcher.hpp"

#include <algorithm>

#include "agent/sources/backoff.hpp"

namespace trimtab {

ImageWatcher::ImageWatcher(asio::any_io_executor executor, Registry& registry,
                           std::chrono::milliseconds interval,
                           std::map<std::string, Fact<std::string>>& facts,
                           std::function<void()> asked)
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
  for (;;) {
    int failures = 0;
    std::chrono::milliseconds patience{0};
    const std::map<std::string, ImageReference> images = images_;
    for (const auto& [text, reference] : images) {
      Result<std::string> digest = co_await registry_.digest_of(reference);
      if (!images_.contains(text)) continue;
      Fact<std::string>& fact = facts_[text];
      if (digest) {
        fact.succeed(std::move(*digest));
      } else {
        fact.fail(digest.error());
        patience = std::max<std::chrono::milliseconds>(patience, digest.error().retry_after);
      }
      failures = std::max(failures, fact.failures);
    }
    asked_();
    const auto wait = std::max(patience, next_interval(interval_, failures, random_jitter()));
    co_await wake_.wait_until(SteadyClock::now() + wait);
  }
}

}  // namespace trimtab
