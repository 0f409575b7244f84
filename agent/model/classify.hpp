// Decides the cause of a failure: the release, which is then rejected, or this host, in which case
// it is retried. Blames the release only if it is known to be at fault. Pure.
#pragma once

#include <string_view>

#include "agent/model/deployment.hpp"
#include "common/result.hpp"

namespace trimtab {

// Classifies the failure of a phase. When starting or rolling back, errors of Compose and the
// Engine are also told apart by their messages.
FailureCause classify(Phase phase, const Error& error);

// Classifies a failure to render the project, when there is no deployment with phases yet.
FailureCause classify_rendering(const Error& error);

// Whether the message of Compose or the Engine says that a container cannot be created or started
// because of its definition in the release. False if the host lacks something or the message is
// unknown.
bool is_fault_of_release(std::string_view words);

}  // namespace trimtab
