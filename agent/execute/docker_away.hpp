// What a deployment does where Docker went away in a phase.
#pragma once

#include "agent/execute/deployment.hpp"

namespace trimtab {

// Waits, not for ever, until Docker answers again, and starts what it has left down. False where it
// does not come back or a stop was requested. The deployment outlives the call.
Task<bool> wait_for_docker(Deployment& deployment);

}  // namespace trimtab
