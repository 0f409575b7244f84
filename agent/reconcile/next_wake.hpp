// When the next round of a reconciler is due without being woken. Pure.
#pragma once

#include <optional>

#include "common/async.hpp"

namespace trimtab {

inline constexpr std::chrono::milliseconds min_wait{100};

struct WakeInput {
  SteadyClock::time_point now;
  // Stopped, paused, without Docker or the like: nothing that is due is done before that ends.
  bool is_suspended = false;
  // A rollback waits for its next attempt: until then the probation is not checked.
  bool goes_back_later = false;
  std::optional<SteadyClock::time_point> retry_at;
  std::optional<SteadyClock::time_point> probation_look;
  std::optional<SteadyClock::time_point> probation_end;
  std::optional<SteadyClock::time_point>
      names_at;  // then the names that the host lacks are looked up again
  // What suspends the stack without announcing its end is polled again then.
  std::optional<SteadyClock::time_point> poll_at;
};

// Always later than now, so that a deadline that stays due cannot keep the loop busy.
SteadyClock::time_point next_wake(const WakeInput& input);

}  // namespace trimtab
