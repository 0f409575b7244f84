#include "common/standstill.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <optional>

namespace trimtab {
namespace {

using std::chrono::steady_clock;

constexpr auto period = std::chrono::minutes(30);

struct LoopThread {
  StandstillMeter meter;
  steady_clock::time_point heard;
};

// Thread-local, because other threads' loops, which keep nobody waiting, do not count.
constinit thread_local std::optional<LoopThread> loop_thread;

}  // namespace

void StandstillMeter::move_to_period_of(Time now) {
  const std::int64_t current = now.time_since_epoch() / period;
  if (current == period_) return;
  of_last_period_ = current == period_ + 1 ? of_this_period_ : std::chrono::nanoseconds::zero();
  of_this_period_ = std::chrono::nanoseconds::zero();
  period_ = current;
}

void StandstillMeter::note(Time begun, Time ended) {
  move_to_period_of(ended);
  longest_ = std::max(longest_, ended - begun);
  of_this_period_ = std::max(of_this_period_, ended - begun);
}

Standstill StandstillMeter::read(Time now) {
  move_to_period_of(now);
  return {longest_, std::max(of_this_period_, of_last_period_)};
}

void measure_standstill() {
  loop_thread.emplace().heard = steady_clock::now();
}

Standstill standstill() {
  return loop_thread ? loop_thread->meter.read(steady_clock::now()) : Standstill();
}

}  // namespace trimtab

using trimtab::loop_thread;
using trimtab::steady_clock;

// NOLINTBEGIN: the names that the linker (ld --wrap) requires to redirect Asio's calls of
// epoll_wait(2) here.
extern "C" int __real_epoll_wait(int fd, epoll_event* events, int most, int timeout);

extern "C" int __wrap_epoll_wait(int fd, epoll_event* events, int most, int timeout) {
  if (!loop_thread) return __real_epoll_wait(fd, events, most, timeout);
  loop_thread->meter.note(loop_thread->heard, steady_clock::now());
  const int count = __real_epoll_wait(fd, events, most, timeout);
  loop_thread->heard = steady_clock::now();
  return count;
}
// NOLINTEND
