// How many pulls a registry still allows, according to its response headers.
#pragma once

#include <chrono>
#include <optional>

#include "common/http.hpp"
#include "common/text.hpp"

namespace trimtab {

// Returns how long to pause pulls because the quota is used up: until the time in RateLimit-Reset
// (seconds since 1970 or from now on), else 15 minutes; one hour at most. 0 if pulls are allowed.
// Docker Hub sends "RateLimit-Remaining: 20;w=21600", others omit the window; without the header
// there is no limit. Source: Docker's documentation of its pull limits.
std::chrono::seconds pause_of_pulls(const http::Headers& headers, WallTime now);

}  // namespace trimtab
