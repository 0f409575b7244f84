// Limits how often running containers are replaced in vain. Pure.
#pragma once

#include <map>
#include <string>

#include "agent/model/release_record.hpp"

namespace trimtab {

// After this many, another try takes a change of the release or of Docker, or an operator.
inline constexpr int max_vain_tries = 3;

// Returns whether the host made the release fail after containers had been touched for it.
bool is_vain(const ReleaseRecord& release);

// Returns how many of the newest releases of this content, in a row, were created after `since` in
// vain.
int vain_tries(const Releases& releases, const std::string& content_key, WallTime since);

}  // namespace trimtab
