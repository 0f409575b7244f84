// When the health of a container can be known. Pure.
#pragma once

#include <chrono>

namespace trimtab {

// A health check as an image, a compose file or both together say it. 0: not said, Docker's own
// value counts.
struct HealthCheck {
  std::chrono::milliseconds interval{0};
  std::chrono::milliseconds start_period{0};
  std::chrono::milliseconds start_interval{0};  // Docker 25 and newer

  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

// No gate waits longer than this for a first answer.
inline constexpr std::chrono::milliseconds max_health_wait = std::chrono::hours(1);

// How long after the container's start its check has been made once with a result that counts.
// Docker makes the first check an interval after the start, and until the end of the start period
// only a success counts.
std::chrono::milliseconds health_known_after(const HealthCheck& check);

}  // namespace trimtab
