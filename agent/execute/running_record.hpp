// Records the running set: before a plan touches it, and once it was verified.
#pragma once

#include <set>
#include <string>

#include "agent/execute/deployment_run.hpp"
#include "agent/plan/diff.hpp"

namespace trimtab {

// Must be awaited before the plan's effects: what it changes is not known to run until it is
// verified.
Task<Result<void>> note_touched(Store& store, Plan plan);

// Returns which containers make up the release, which passed its gate after the plan was applied.
// The deployment outlives the call, here and below. Errors: those of Docker and of the disk.
Task<Result<RunningSet>> verified_running(DeploymentRun& run, int number, Plan plan);

// Notes them.
Task<Result<void>> note_running(DeploymentRun& run, int number, Plan plan);

// Whether it failed because Docker did not answer: then it is repeated once it does. For a full
// disk waiting for Docker would change nothing.
bool is_docker_away(const Result<void>& result);

// Writes what the stack's unit reads of the release. `jobs`: services that are known to do their
// work and exit.
Task<Result<void>> save_boot_file(DeploymentRun& run, int number, std::set<std::string> jobs);

// What runs, and the releases that it is of.
Task<Result<Base>> base_of_plans(DeploymentRun& run);

}  // namespace trimtab
