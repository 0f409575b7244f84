// Measures how long the event loop is blocked: from epoll_wait's return to its next call.
#pragma once

#include <chrono>
#include <cstdint>

namespace trimtab {

struct Standstill {
  std::chrono::nanoseconds longest{0};  // since measuring began
  std::chrono::nanoseconds lately{0};   // in the last 30 to 60 minutes
};

class StandstillMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Records that the loop was blocked from `begun` to `ended`. Calls must be in chronological
  // order.
  void note(Time begun, Time ended);
  [[nodiscard]] Standstill read(Time now);

 private:
  void move_to_period_of(Time now);

  std::chrono::nanoseconds longest_{0};
  std::chrono::nanoseconds of_this_period_{0};
  std::chrono::nanoseconds of_last_period_{0};
  std::int64_t period_ = 0;  // number of the current half hour
};

// Starts measuring the event loop of this thread.
void measure_standstill();
// Returns the measurements up to the loop's last wait; zero if nothing is measured.
Standstill standstill();

}  // namespace trimtab
