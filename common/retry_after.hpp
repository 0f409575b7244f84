// When a server allows the next request.
#pragma once

#include <chrono>
#include <string_view>

#include "common/text.hpp"

namespace trimtab::http {

// Returns the delay that a Retry-After header asks for (RFC 9110, section 10.2.3): seconds, or a
// date minus `now`. At most one hour, so that no header can silence us permanently; 0 if it is
// empty, past or malformed.
std::chrono::seconds retry_after(std::string_view header, WallTime now);

}  // namespace trimtab::http
