// The stories that have broken a promise once, as a file for people:
//
//     # why it did
//     seed 17
//       12345 8 a good commit is pushed
//
// An event is its time in milliseconds, its detail, and its words. A seed without events has the
// story that it draws.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "tests/simulation/story.hpp"

namespace trimtab::simulation {

struct CorpusEntry {
  std::string why;
  std::uint64_t seed = 0;
  std::vector<StoryEvent> story;
};

// invalid, with the line's number, where a line is none of these.
Result<std::vector<CorpusEntry>> read_corpus(const std::filesystem::path& file);

std::string to_string(const CorpusEntry& entry);

}  // namespace trimtab::simulation
