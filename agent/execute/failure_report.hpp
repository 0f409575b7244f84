// What is told of a failure: its reason, the services that do not work, and what these said last.
#pragma once

#include <string>
#include <vector>

#include "agent/execute/stack_reader.hpp"
#include "agent/model/deployment.hpp"

namespace trimtab {

// An operator wants nothing to be changed, and nothing was yet. Pure.
Failure failure_of_pause(const StackSettings& settings, Phase phase);

// In the error's own words. Pure.
Failure failure_of(Phase phase, const Error& error, FailureCause cause);

// The same for a start that failed: Compose names a container, and what is there says which do not
// work and whose fault that is. Pure.
Failure failure_of_start(const Error& error, FailureCause cause,
                         const std::vector<Container>& present);

// Adds what the containers of each of the services said last. All outlives the call.
Task<void> add_logs(Docker& docker, const StackReader& stack,
                    std::vector<ServiceFailure>* services);

}  // namespace trimtab
