#include "agent/reconcile/next_wake.hpp"

#include <algorithm>

namespace trimtab {
namespace {

// What is running is read again at this interval even without an event.
constexpr auto max_wait = std::chrono::seconds(30);

}  // namespace

SteadyClock::time_point next_wake(const WakeInput& input) {
  SteadyClock::time_point wake = input.now + max_wait;
  if (input.poll_at) wake = std::min(wake, *input.poll_at);
  if (!input.is_suspended) {
    for (const auto& due : {input.retry_at, input.names_at}) {
      if (due) wake = std::min(wake, *due);
    }
  }
  if (!input.is_suspended && !input.goes_back_later) {
    for (const auto& due : {input.probation_look, input.probation_end}) {
      if (due) wake = std::min(wake, *due);
    }
  }
  return std::max(wake, input.now + min_wait);
}

}  // namespace trimtab
