// Computes polling intervals with exponential backoff. Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "common/random.hpp"

namespace trimtab {

// Doubles the interval for each consecutive failure, up to half an hour (or `interval` itself if
// that is longer), so that errors never make polling faster. `jitter` in [0, 1) varies the result
// by up to ten per cent in either direction.
inline std::chrono::milliseconds next_interval(std::chrono::milliseconds interval, int failures,
                                               double jitter) {
  const std::chrono::milliseconds ceiling =
      std::max<std::chrono::milliseconds>(interval, std::chrono::minutes(30));
  std::chrono::milliseconds wait = interval;
  for (int i = 0; i < failures && wait < ceiling; ++i) wait *= 2;
  if (wait > ceiling) wait = ceiling;
  return std::chrono::duration_cast<std::chrono::milliseconds>(wait * (0.9 + 0.2 * jitter));
}

// Returns a random number in [0, 1).
inline double random_jitter() {
  return static_cast<double>(random_bits() >> 11U) * 0x1.0p-53;
}

}  // namespace trimtab
