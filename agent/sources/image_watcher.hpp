// Polls the registries for the digests of the watched tags.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "agent/model/facts.hpp"
#include "agent/registry/registry.hpp"
#include "common/async.hpp"

namespace trimtab {

class ImageWatcher {
 public:
  // `facts` and `registry` must outlive this object. Calls `asked` after each round, and says
  // whether any answer was news.
  ImageWatcher(asio::any_io_executor executor, Registry& registry,
               std::chrono::milliseconds interval, std::map<std::string, Fact<std::string>>& facts,
               std::function<void(bool is_news)> asked);
  Task<void> run();
  void poll_now() { wake_.notify(); }
  // When the next poll is due, or when the current one began.
  [[nodiscard]] SteadyClock::time_point next_poll_at() const { return next_poll_at_; }

  // Sets the images to watch, keyed by their text in the Compose file. Forgets the facts of all
  // others.
  void watch(std::map<std::string, ImageReference> images);
  [[nodiscard]] const std::map<std::string, ImageReference>& watched() const { return images_; }

 private:
  Registry& registry_;
  std::chrono::milliseconds interval_;
  std::map<std::string, Fact<std::string>>& facts_;
  std::function<void(bool is_news)> asked_;
  std::map<std::string, ImageReference> images_;
  WakeEvent wake_;
  SteadyClock::time_point next_poll_at_ = SteadyClock::now();
};

}  // namespace trimtab
