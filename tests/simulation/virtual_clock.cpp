#include "tests/simulation/virtual_clock.hpp"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>

namespace trimtab::simulation::virtual_clock {
namespace {

// Some day, so that times of day are plausible ones: 2026-01-01T00:00:00Z.
constexpr std::int64_t first_second = 1'767'225'600;

bool is_virtual = false;
WorldTime current{0};
std::map<int, WorldTime> timers;  // by file descriptor; timers that are not set are not in it

}  // namespace

void begin() {
  is_virtual = true;
  current = WorldTime{0};
  timers.clear();
}

WorldTime now() {
  return current;
}

void advance_to(WorldTime time) {
  current = std::max(current, time);
}

WorldTime next_timer() {
  WorldTime next = WorldTime::max();
  for (const auto& [fd, due] : timers) next = std::min(next, due);
  return next;
}

bool fire_timers() {
  bool any = false;
  for (auto entry = timers.begin(); entry != timers.end();) {
    if (entry->second > current) {
      ++entry;
      continue;
    }
    ::eventfd_write(entry->first, 1);
    entry = timers.erase(entry);
    any = true;
  }
  return any;
}

void forget_timers() {
  timers.clear();
}

}  // namespace trimtab::simulation::virtual_clock

using trimtab::simulation::WorldTime;
namespace virtual_clock = trimtab::simulation::virtual_clock;

// NOLINTBEGIN: the C library's own names.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (!virtual_clock::is_virtual) {
    return static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  }
  constexpr std::int64_t second = 1'000'000'000;
  const std::int64_t elapsed = virtual_clock::current.count();
  const bool of_day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  time->tv_sec = (of_day ? virtual_clock::first_second : 1000) + elapsed / second;
  time->tv_nsec = elapsed % second;
  return 0;
}

// What the loop waits for is that it can be read, which costs a hundredth of a timer's expiry.
extern "C" int timerfd_create(int clock, int flags) noexcept {
  if (!virtual_clock::is_virtual) {
    return static_cast<int>(::syscall(SYS_timerfd_create, clock, flags));
  }
  return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

extern "C" int timerfd_settime(int fd, int flags, const itimerspec* value,
                               itimerspec* old) noexcept {
  if (!virtual_clock::is_virtual) {
    return static_cast<int>(::syscall(SYS_timerfd_settime, fd, flags, value, old));
  }
  const WorldTime wait =
      std::chrono::seconds(value->it_value.tv_sec) + WorldTime(value->it_value.tv_nsec);
  // Asio says by an absolute time in the past that a timer is due at once.
  virtual_clock::timers[fd] =
      (flags & TFD_TIMER_ABSTIME) != 0 ? virtual_clock::current : virtual_clock::current + wait;
  // One that has expired is no longer readable once it is set anew.
  eventfd_t expired = 0;
  ::eventfd_read(fd, &expired);
  return 0;
}
// NOLINTEND
