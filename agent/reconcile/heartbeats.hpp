// What the service manager's watchdog goes by: a stack whose keeping has come to a standstill is
// noticed although the daemon answers, and the daemon is started anew.
#pragma once

#include <string_view>

#include "common/async.hpp"

namespace trimtab {

// When each part of a stack's keeping last showed that it goes on; in the future where it said that
// it rests, or that a step takes its time.
struct Heartbeats {
  SteadyClock::time_point reconciler;
  bool is_queued = false;  // for another stack's deployment, which may take its time
  SteadyClock::time_point git_watcher;
  SteadyClock::time_point image_watcher;
};

// Longer than any step may take without a sign: a container has up to an hour to stop, and Git as
// long for what it fetches.
inline constexpr std::chrono::minutes stall_timeout{70};

// Returns the stalled part, in words; "" if there is none. Pure.
std::string_view find_stalled(const Heartbeats& signs, SteadyClock::time_point now,
                              std::chrono::milliseconds silence);

}  // namespace trimtab
