// Does a release go on to work after it has passed its gate? Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/execute/gate.hpp"
#include "agent/model/release_record.hpp"

namespace trimtab {

// Watches the containers that a release has made. What ends them from outside is no fault of the
// release, nor is what happens while another service of the stack is down or starts, or until it
// has recovered from that. A container is judged only after it was seen to run, by the gate or
// here: make a new Probation after a start and whenever Docker was away.
class Probation {
 public:
  // `before`: the release that it would go back to. `seen_by_gate`: all of it ran a moment ago,
  // when it passed its gate.
  Probation(const ReleaseRecord& release, const ReleaseRecord& before, bool seen_by_gate,
            SteadyClock::time_point now);

  [[nodiscard]] int release() const { return release_; }

  // What broke, once it has been broken for two seconds. `stopped`: ids of containers that somebody
  // stopped. Lack of memory is the host's and does not count.
  std::optional<Failure> observe(const std::vector<Container>& containers,
                                 const std::set<std::string>& stopped, SteadyClock::time_point now);

  // When observe() must be called again even if nothing happens; unset: at leisure.
  [[nodiscard]] std::optional<SteadyClock::time_point> next_poll_at() const;

 private:
  bool others_are_down(const std::vector<Container>& containers);
  void forget_what_was(SteadyClock::time_point now);

  int release_;
  std::set<std::string> made_;
  std::set<std::string> seen_running_;
  std::set<std::string> recovering_;
  GateDemand demand_;
  Gate gate_;
  std::optional<SteadyClock::time_point> broken_since_;
};

// How much of the probation is left when it is taken up, by the end that its record names. Clocks
// may be set: it never lasts longer than a whole one.
std::chrono::milliseconds probation_left(WallTime until, WallTime now,
                                         std::chrono::milliseconds whole);

}  // namespace trimtab
