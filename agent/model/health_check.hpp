// When a container's health can be known. Pure.
#pragma once

#include <chrono>

namespace trimtab {

// A health check as defined by an image, a Compose file or both together. 0: not set, so that
// Docker's default applies.
struct HealthCheck {
  std::chrono::milliseconds interval{0};
  std::chrono::milliseconds start_period{0};
  std::chrono::milliseconds start_interval{0};  // requires Docker 25 or newer

  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

// Upper bound of the time that a gate waits for a first result.
inline constexpr std::chrono::milliseconds max_health_wait = std::chrono::hours(1);

// Returns the time after the container's start at which its check has had one result that counts.
// Docker runs the first check one interval after the start, and until the end of the start period
// only a success counts.
std::chrono::milliseconds health_known_after(const HealthCheck& check);

}  // namespace trimtab
