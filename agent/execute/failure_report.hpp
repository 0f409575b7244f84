// Reports a failure: its reason, the services that do not work, and the last lines of their logs.
#pragma once

#include <string>
#include <vector>

#include "agent/execute/stack_reader.hpp"
#include "agent/model/deployment.hpp"

namespace trimtab {

// The failure of a deployment that an operator paused before anything was touched. Pure.
Failure failure_of_pause(const StackSettings& settings, Phase phase);

// A failure with the error's own message. Pure.
Failure failure_of(Phase phase, const Error& error, FailureCause cause);

// The same for a failed start: Compose names a container, and the containers show which services do
// not work and whether the release is at fault. Pure.
Failure failure_of_start(const Error& error, FailureCause cause,
                         const std::vector<Container>& present);

// Adds the last lines that the containers of each service logged. All outlives the call.
Task<void> add_logs(Docker& docker, const StackReader& stack,
                    std::vector<ServiceFailure>* services);

}  // namespace trimtab
