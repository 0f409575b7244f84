// The last log lines of a failing service, for the failure report.
#pragma once

#include <string>

#include "agent/docker/docker.hpp"
#include "agent/model/outcome.hpp"
#include "common/async.hpp"

namespace trimtab {

// Adds the last lines that the container wrote; none where Docker cannot tell. `docker` and
// `failure` outlive the call.
Task<void> add_last_lines(Docker& docker, std::string container, ServiceFailure* failure);

}  // namespace trimtab
