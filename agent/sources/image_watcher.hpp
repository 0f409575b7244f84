// Asks the registries for the digests of the watched tags, again and again.
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
  // `facts` and `registry` outlive it; `asked` is called after each round.
  ImageWatcher(asio::any_io_executor executor, Registry& registry,
               std::chrono::milliseconds interval, std::map<std::string, Fact<std::string>>& facts,
               std::function<void()> asked);
  Task<void> run();
  void poll_now() { wake_.notify(); }
  // When it asks next, or began to ask for the image that it is at.
  [[nodiscard]] SteadyClock::time_point next_poll_at() const { return next_poll_at_; }

  // The images to watch from now on, as the compose file writes them. Facts of others are
  // forgotten.
  void watch(std::map<std::string, ImageReference> images);
  [[nodiscard]] const std::map<std::string, ImageReference>& watched() const { return images_; }

 private:
  Registry& registry_;
  std::chrono::milliseconds interval_;
  std::map<std::string, Fact<std::string>>& facts_;
  std::function<void()> asked_;
  std::map<std::string, ImageReference> images_;
  WakeEvent wake_;
  SteadyClock::time_point next_poll_at_ = SteadyClock::now();
};

}  // namespace trimtab
