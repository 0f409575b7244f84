// Time as the simulated world has it. Every clock that this process reads, and every timer of
// Asio's, goes by it, since clock_gettime(2), timerfd_settime(2) and epoll_wait(2) are answered
// here: the program under test is compiled as it ships.
#pragma once

#include <chrono>
#include <cstdint>

namespace trimtab::simulation {

// Nanoseconds since the world began.
using WorldTime = std::chrono::nanoseconds;

namespace virtual_clock {

// Until then the clocks tell the host's time. Timers that were set before are forgotten.
void begin();
[[nodiscard]] WorldTime now();
// Never back.
void advance_to(WorldTime time);

// When the earliest timer is due; WorldTime::max() where none is set.
[[nodiscard]] WorldTime next_timer();
// Has the timers that are due by now expire, so that the loop sees them; false where none was.
bool fire_timers();
// Those of a loop that is no longer run.
void forget_timers();

}  // namespace virtual_clock

}  // namespace trimtab::simulation
