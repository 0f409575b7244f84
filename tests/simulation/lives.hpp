// Lives, each in a process of its own: what a killed daemon has left in memory goes with it, and a
// daemon that crashes or hangs breaks a promise as any other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/story.hpp"

namespace trimtab::simulation {

struct Lived {
  std::optional<std::string> broken;  // the promise, in words
  std::vector<std::string> told;      // the story
  std::uint64_t deployments = 0;      // that were begun
};

// Throws std::system_error where the host has no process or pipe for it.
Lived live(std::uint64_t seed, const std::vector<StoryEvent>& story);

// The smallest story that still breaks a promise, by leaving events out, as far as a minute
// of the machine's time reaches.
std::vector<StoryEvent> shortened(std::uint64_t seed, std::vector<StoryEvent> story);

}  // namespace trimtab::simulation
