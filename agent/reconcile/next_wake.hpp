// When a reconciler looks again without being woken. Pure.
#pragma once

#include <optional>

#include "common/async.hpp"

namespace trimtab {

inline constexpr std::chrono::milliseconds min_wait{100};

struct WakeInput {
  SteadyClock::time_point now;
  // Stopped, paused, without Docker or the like: what is due is not done before that ends.
  bool is_suspended = false;
  // Going back waits for its next try: until then the probation is not looked at.
  bool goes_back_later = false;
  std::optional<SteadyClock::time_point> retry_at;
  std::optional<SteadyClock::time_point> probation_look;
  std::optional<SteadyClock::time_point> probation_end;
  std::optional<SteadyClock::time_point> names_at;  // then images' names are looked for again
  // What suspends it and does not tell of its end is asked again then.
  std::optional<SteadyClock::time_point> poll_at;
};

// Always later than now, so that a deadline that stays due cannot keep the loop busy.
SteadyClock::time_point next_wake(const WakeInput& input);

}  // namespace trimtab
