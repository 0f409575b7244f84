// What Docker has made of a stack's containers when it comes back: after it was restarted, upgraded
// or killed, or after a reboot. Both pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/release_record.hpp"

namespace trimtab {

// Those that ran before and that Docker did not start again: it starts only what has a restart
// policy; and, once it was killed, of that only what says `always`: it takes the rest for stopped
// by hand. `release`: the current one, null before the first.
std::vector<Container> not_restarted_by_docker(const std::vector<Container>& now,
                                               const std::vector<Container>& before,
                                               const ReleaseRecord* release);

// Those of a stopped stack that Docker has started: it starts what says `always`, and what did not
// end well and says `on-failure`, also where that was stopped by hand. `until`: when it had started
// what it starts by itself; `by_hand`: ids of what somebody has started in the stopped stack.
std::vector<Container> restarted_by_docker(const std::vector<Container>& now, WallTime until,
                                           const std::set<std::string>& by_hand);

}  // namespace trimtab
