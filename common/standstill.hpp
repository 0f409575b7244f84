// How long the loop stands still: from when it hears of what happened to when it listens again.
#pragma once

#include <chrono>
#include <cstdint>

namespace trimtab {

struct Standstill {
  std::chrono::nanoseconds longest{0};  // since the measuring began
  std::chrono::nanoseconds lately{0};   // in the last half hour to hour
};

class StandstillMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // It stood still from `begun` to `ended`; each call is later than the one before.
  void note(Time begun, Time ended);
  [[nodiscard]] Standstill read(Time now);

 private:
  void move_to_period_of(Time now);

  std::chrono::nanoseconds longest_{0};
  std::chrono::nanoseconds of_this_period_{0};
  std::chrono::nanoseconds of_last_period_{0};
  std::int64_t period_ = 0;  // number of the half hour that the clock is in
};

// From now on what keeps this thread's loop from listening is measured.
void measure_standstill();
// What there was until the loop listened last; zero where nothing is measured.
Standstill standstill();

}  // namespace trimtab
