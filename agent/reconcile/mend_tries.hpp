// When a rendering that could not be mended is tried again. Pure.
#pragma once

#include <string>

#include "agent/sources/backoff.hpp"
#include "common/async.hpp"

namespace trimtab {

// Each try empties the staging directory, checks a commit out and runs Compose.
class MendTries {
 public:
  // `what`: all that the outcome depends on. Another than the one that failed is tried at once.
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
  std::string what_;  // that failed; "": nothing has
  int failures_ = 0;  // again, after the first
  SteadyClock::time_point next_{};
};

}  // namespace trimtab
