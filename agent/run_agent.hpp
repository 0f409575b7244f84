// The daemon's process: what is set for all of it, its loop and its exit code.
#pragma once

#include "agent/agent.hpp"

namespace trimtab {

// Runs the daemon until SIGTERM or SIGINT. Returns the exit code of the process: 0 stopped, 1
// failed, 2 configuration.
int run_agent(const AgentOptions& options);

}  // namespace trimtab
