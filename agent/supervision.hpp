// How the service manager supervises the daemon: readiness, the Status line and the watchdog.
#pragma once

#include <string>

#include "agent/managed_stacks.hpp"

namespace trimtab {

// Returns one line on all stacks for `systemctl status`.
std::string status_line(const ManagedStacks& stacks);

// Returns a stack and the part of it that makes no progress, as in "shop: its reconciliation"; ""
// if every part does.
std::string find_stalled_part(const ManagedStacks& stacks);

// Reports readiness, then the Status line whenever it changed, until cancelled. Feeds the watchdog
// from the loop and only while no part is stalled, so that a daemon that hangs is restarted.
Task<void> report_to_service_manager(const ManagedStacks& stacks);

}  // namespace trimtab
