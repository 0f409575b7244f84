// Heartbeats for the service manager's watchdog: a stack whose reconciliation stalls is noticed
// although the daemon answers, and the daemon is restarted.
#pragma once

#include <string_view>

#include "common/async.hpp"

namespace trimtab {

// When each part of a stack last made progress; in the future if it announced that it rests or that
// a step takes long.
struct Heartbeats {
  SteadyClock::time_point reconciler;
  bool is_queued = false;  // behind another stack's deployment, which may take long
  SteadyClock::time_point git_watcher;
  SteadyClock::time_point image_watcher;
};

// Longer than any step may take without a heartbeat: a container has up to an hour to stop, and so
// has Git to fetch.
inline constexpr std::chrono::minutes stall_timeout{70};

// Returns the stalled part, in words; "" if there is none. Pure.
std::string_view find_stalled(const Heartbeats& signs, SteadyClock::time_point now,
                              std::chrono::milliseconds silence);

}  // namespace trimtab
