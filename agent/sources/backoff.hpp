// When to ask again. Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "common/random.hpp"

namespace trimtab {

// After `failures` in a row the interval doubles, up to half an hour (or the interval itself where
// that is longer): an error never polls harder. `jitter` in [0, 1) spreads it by ten per cent
// either way.
inline std::chrono::milliseconds next_interval(std::chrono::milliseconds interval, int failures,
                                               double jitter) {
  const std::chrono::milliseconds ceiling =
      std::max<std::chrono::milliseconds>(interval, std::chrono::minutes(30));
  std::chrono::milliseconds wait = interval;
  for (int i = 0; i < failures && wait < ceiling; ++i) wait *= 2;
  if (wait > ceiling) wait = ceiling;
  return std::chrono::duration_cast<std::chrono::milliseconds>(wait * (0.9 + 0.2 * jitter));
}

// From 0 up to, not including, 1.
inline double random_jitter() {
  return static_cast<double>(random_bits() >> 11U) * 0x1.0p-53;
}

}  // namespace trimtab
