// The content of a release's compose.yaml.
#pragma once

#include "agent/model/release.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

// Why this is not what the release was rendered to, "" where it is: a file that is empty, cut off
// or of something else parses all the same, and would be a reason to remove what runs. Pure.
std::string flaw_of(const Rendering& rendering, const Release& release);

// Errors: not_found and other ones of reading it; failed where it is damaged.
Result<Rendering> read_rendering(const Store& store, int number);

// The same. One that is damaged is replaced by that of another release with the same content, where
// one is whole.
Task<Result<Rendering>> mend_rendering(Store& store, int number);

// Whether the rendering is damaged and cannot be had again, `error` being why it could not be
// rendered again. What the host lacks for a moment is no loss.
bool is_lost(const Store& store, int number, const Error& error);

}  // namespace trimtab
