// Sums up the progress lines of a pull over the image's layers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/model/observed.hpp"

namespace trimtab {

class PullTracker {
 public:
  // Takes one progress line of the Engine (a JSON object). Returns the new progress if it changed.
  std::optional<PullProgress> take(std::string_view line);
  // The Engine's message if it reported a failure within the progress stream.
  [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }

 private:
  struct Layer {
    std::uint64_t current = 0;
    std::uint64_t total = 0;
  };
  std::map<std::string, Layer> layers_;
  std::optional<std::string> failure_;
};

}  // namespace trimtab
