// What a release's compose.yaml says.
#pragma once

#include "agent/model/release.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

// Why this is not what the release was rendered to, "" where it is: a file that is empty, cut off
// or of something else parses all the same, and would be a reason to remove what runs. Pure.
std::string flaw_of(const Rendering& rendering, const Release& release);

// Errors: not_found and other ones of reading it; failed where it is damaged.
Result<Rendering> read_rendering(const Store& store, int number);

}  // namespace trimtab
