// The state of a stack's containers when Docker is back: after it was restarted, upgraded or
// killed, or after a reboot. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/release_record.hpp"

namespace trimtab {

// Returns the containers that ran before and that Docker did not restart: it restarts only those
// with a restart policy and, after it was killed, only those with `always`, because it considers
// the others to be stopped manually. `release`: the current one, null before the first.
std::vector<Container> not_restarted_by_docker(const std::vector<Container>& now,
                                               const std::vector<Container>& before,
                                               const ReleaseRecord* release);

// Returns the containers of a stopped stack that Docker started: those with `always`, and those
// with `on-failure` that exited with an error, even if they were stopped manually. `until`: when
// Docker had started what it starts at its own start; `by_hand`: ids of containers that somebody
// has started in the stopped stack.
std::vector<Container> restarted_by_docker(const std::vector<Container>& now, WallTime until,
                                           const std::set<std::string>& by_hand);

}  // namespace trimtab
