// Tries a commit's files before anything is touched: mounted into a container of the service's
// image that is thrown away, in the service's own network, since a configuration may name any host.
// The services' names are known there, whether they run yet or not. Files that are new in a mounted
// directory are tried only in the running container, before its signal, since Docker would create
// them in the live directory.
#pragma once

#include "agent/execute/deployment_run.hpp"

namespace trimtab::phases {

// Whether the services that are to be reloaded take their new files: tried in containers that are
// thrown away. invalid, with their own words, where one does not. The deployment outlives the call.
Task<Result<void>> check_new_config(DeploymentRun& run, Release release);

// Removes what a kill in the middle of it has left.
Task<void> end_trials(Docker& docker, const StackSettings& settings);

}  // namespace trimtab::phases
