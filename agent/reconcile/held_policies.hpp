// Keeps stopped what an operator stopped with the stack's unit. Docker starts containers again when
// it comes back itself (after a reboot, or an upgrade of its package): those that say `always`, and
// those that say `on-failure` and did not end well. So their policies are others meanwhile.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"

namespace trimtab {

struct PolicyChange {
  std::string container;
  std::string service;
  RestartPolicy policy;
};

struct PolicyChanges {
  // By container, what they had before; to be kept before `changes` are made.
  std::map<std::string, RestartPolicy> held;
  std::vector<PolicyChange> changes;
};

// What is to be done about the containers' policies; nothing once that was done. `held`: what was
// kept before. Pure.
PolicyChanges policy_changes(const std::vector<Container>& containers, bool stopped,
                             const std::map<std::string, RestartPolicy>& held);

}  // namespace trimtab
