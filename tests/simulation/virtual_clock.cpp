#include "tests/simulation/virtual_clock.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

namespace trimtab::simulation::virtual_clock {
namespace {

// Some day, so that times of day are plausible ones: 2026-01-01T00:00:00Z.
constexpr std::int64_t first_second = 1'767'225'600;

bool is_virtual = false;
WorldTime current{0};
std::map<int, WorldTime> timers;  // by file descriptor; timers that are not set are not in it
std::set<int> expired;
std::map<int, epoll_event> waited_for;  // what the loop is to be told of timers, by descriptor
int others = 0;                         // descriptors that the loop watches

}  // namespace

void begin() {
  is_virtual = true;
  current = WorldTime{0};
  forget_timers();
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
    expired.insert(entry->first);
    entry = timers.erase(entry);
    any = true;
  }
  return any;
}

void forget_timers() {
  timers.clear();
  expired.clear();
  waited_for.clear();
  others = 0;
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

// A descriptor that is a name and no more: whether it can be read is answered by epoll_wait.
extern "C" int timerfd_create(int clock, int flags) noexcept {
  if (!virtual_clock::is_virtual) {
    return static_cast<int>(::syscall(SYS_timerfd_create, clock, flags));
  }
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  virtual_clock::waited_for[fd] = {};
  return fd;
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
  virtual_clock::expired.erase(fd);
  return 0;
}

extern "C" int epoll_ctl(int loop, int operation, int fd, epoll_event* event) noexcept {
  const auto timer = virtual_clock::waited_for.find(fd);
  if (timer != virtual_clock::waited_for.end()) {
    if (event != nullptr) timer->second = *event;
    return 0;
  }
  if (operation == EPOLL_CTL_ADD) ++virtual_clock::others;
  if (operation == EPOLL_CTL_DEL) --virtual_clock::others;
  return static_cast<int>(::syscall(SYS_epoll_ctl, loop, operation, fd, event));
}

// The kernel is asked only where the loop watches more than that by which other threads, of which
// there are none, would wake it.
extern "C" int epoll_wait(int loop, epoll_event* events, int most, int milliseconds) {
  int count = 0;
  for (const int fd : virtual_clock::expired) {
    if (count < most) events[count++] = virtual_clock::waited_for[fd];
  }
  if (virtual_clock::is_virtual && virtual_clock::others <= 1) return count;
  const long more = ::syscall(SYS_epoll_pwait, loop, events + count, most - count,
                              count > 0 ? 0 : milliseconds, nullptr, 0);
  return more < 0 && count == 0 ? -1 : count + static_cast<int>(std::max(more, 0L));
}
// NOLINTEND
