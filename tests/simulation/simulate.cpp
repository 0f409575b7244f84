// trimtab-simulate: has the daemon live through what seeds say, and checks what it promises.
#include <spdlog/sinks/base_sink.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "common/log.hpp"
#include "tests/simulation/chance.hpp"
#include "tests/simulation/life.hpp"

namespace trimtab::simulation {
namespace {

struct Lived {
  std::optional<std::string> broken;
  std::vector<std::string> told;
};

std::filesystem::path directory() {
  return std::filesystem::path("/dev/shm") / ("trimtab-simulate-" + std::to_string(::getpid()));
}

// What the daemon logs is part of the story.
class StorySink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit StorySink(Life& life) : life_(life) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    life_.tell("  " + std::string(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}
  Life& life_;
};

Lived live(std::uint64_t seed, const std::vector<StoryEvent>& story) {
  virtual_clock::begin();
  seed_chance(seed);
  Lived outcome;
  Life life(seed, story, directory());
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<StorySink>(life)));
  outcome.broken = life.run();
  outcome.told = life.told();
  return outcome;
}

// The smallest story that still breaks a promise, by leaving events out.
std::vector<StoryEvent> shortened(std::uint64_t seed, std::vector<StoryEvent> story) {
  for (std::size_t size = std::max<std::size_t>(1, story.size() / 2); size > 0; size /= 2) {
    for (std::size_t at = 0; at + size <= story.size();) {
      std::vector<StoryEvent> less = story;
      const auto first = less.begin() + static_cast<std::ptrdiff_t>(at);
      less.erase(first, first + static_cast<std::ptrdiff_t>(size));
      if (live(seed, less).broken) {
        story = std::move(less);
      } else {
        at += size;
      }
    }
  }
  return story;
}

int simulate(std::uint64_t first, std::uint64_t lives, bool tells) {
  int broken = 0;
  for (std::uint64_t seed = first; seed < first + lives; ++seed) {
    const std::vector<StoryEvent> story = story_of(seed);
    Lived outcome = live(seed, story);
    if (outcome.broken) {
      ++broken;
      outcome = live(seed, shortened(seed, story));
      std::cout << "seed " << seed << ": " << *outcome.broken << std::endl;
    }
    if (tells || outcome.broken) {
      for (const std::string& line : outcome.told) std::cout << "    " << line << "\n";
    }
  }
  std::cout << lives << " lives, " << broken << " with a broken promise\n";
  return broken == 0 ? 0 : 1;
}

}  // namespace
}  // namespace trimtab::simulation

int main(int argc, char** argv) {
  CLI::App app("Has the daemon live through what seeds say, and checks what it promises.");
  std::uint64_t seed = 1;
  std::uint64_t lives = 1;
  bool tells = false;
  app.add_option("--seed", seed, "of the first life");
  app.add_option("--lives", lives, "how many");
  app.add_flag("--story", tells, "tells each story, not only those of broken promises");
  CLI11_PARSE(app, argc, argv);
  const int status = trimtab::simulation::simulate(seed, lives, tells);
  std::filesystem::remove_all(trimtab::simulation::directory());
  return status;
}
