// How many pulls a registry still allows, as its answers tell beforehand.
#pragma once

#include <chrono>
#include <optional>

#include "common/http.hpp"
#include "common/text.hpp"

namespace trimtab {

// How long to pull nothing because no pull is left: up to the time that RateLimit-Reset names
// (seconds since 1970 or from now on), else a quarter of an hour; at most an hour. 0: pull.
// Docker Hub says "RateLimit-Remaining: 20;w=21600", others leave the window out; without the
// header there is no limit. Source: Docker's documentation of its pull limits.
std::chrono::seconds pause_of_pulls(const http::Headers& headers, WallTime now);

}  // namespace trimtab
