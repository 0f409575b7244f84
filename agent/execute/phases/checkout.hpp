// Moves the live directory.
#pragma once

#include "agent/execute/deployment_run.hpp"

namespace trimtab::phases {

// From one release's commit (0: none) to another's. The deployment outlives the call. Errors: those
// of Git::checkout_live, and of reading the release that it goes to.
Task<Result<SwitchReport>> move_checkout(DeploymentRun& run, int from, int to);

}  // namespace trimtab::phases
