// How a deployment copes with losing Docker in the middle of a phase.
#pragma once

#include "agent/execute/deployment_run.hpp"

namespace trimtab {

// Waits two minutes at most for Docker to answer again, then starts what Docker has left down.
// False if Docker did not come back or a stop was requested. The deployment outlives the call.
Task<bool> wait_for_docker(DeploymentRun& run);

}  // namespace trimtab
