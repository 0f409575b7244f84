// What the lines of a pull's progress say, added up over the image's layers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/model/observed.hpp"

namespace trimtab {

class PullTracker {
 public:
  // One line of the Engine's progress (a JSON object); the new state where it changed.
  std::optional<PullProgress> take(std::string_view line);
  // The Engine's words if it said, in the middle of an answer that began well, that it failed.
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
