// When a server wants to be asked again.
#pragma once

#include <chrono>
#include <string_view>

#include "common/text.hpp"

namespace trimtab::http {

// The patience that a Retry-After header asks for (RFC 9110, section 10.2.3): seconds or a date,
// of which `now` is taken away. At most an hour, so that no header silences us for good; 0 where it
// is empty, past or malformed.
std::chrono::seconds retry_after(std::string_view header, WallTime now);

}  // namespace trimtab::http
