// How often what runs may be replaced in vain. Pure.
#pragma once

#include <map>
#include <string>

#include "agent/model/release_record.hpp"

namespace trimtab {

// After so many it takes a change, of what is to be deployed or of Docker, or an operator.
inline constexpr int max_vain_tries = 3;

// Whether the host has made the release fail once containers had been touched for it.
bool is_vain(const ReleaseRecord& release);

// How many of the newest releases of this content, in a row, were made after `since` in vain.
int vain_tries(const Releases& releases, const std::string& content_key, WallTime since);

}  // namespace trimtab
