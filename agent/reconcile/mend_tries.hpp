// When rendering a damaged release again is retried. Pure.
#pragma once

#include <string>

#include "agent/sources/backoff.hpp"
#include "common/async.hpp"

namespace trimtab {

// Each attempt empties the staging directory, checks a commit out and runs Compose.
class MendTries {
 public:
  // `what`: everything that the outcome depends on. A different one is tried immediately.
  [[nodiscard]] bool is_due(const std::string& what, SteadyClock::time_point now) const {
    return what != what_ || now >= next_;
  }

  // `jitter`: as in next_interval().
  void note_failure(const std::string& what, SteadyClock::time_point now, double jitter) {
    failures_ = what == what_ ? failures_ + 1 : 0;
    what_ = what;
    next_ = now + next_interval(std::chrono::minutes(1), failures_, jitter);
  }

 private:
  std::string what_;  // the one that failed; "" if none has
  int failures_ = 0;  // again, after the first
  SteadyClock::time_point next_{};
};

}  // namespace trimtab
