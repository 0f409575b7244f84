// Who is at fault where something failed: the release, which is then rejected, or this host, which
// is tried again. Only what is known to be the release's is its fault. Pure.
#pragma once

#include <string_view>

#include "agent/model/deployment.hpp"
#include "common/result.hpp"

namespace trimtab {

// A failure of a phase. Errors that Compose or the Engine give for a start are told apart by their
// words as well.
FailureCause classify(Phase phase, const Error& error);

// A failure to render the project, before there is a deployment with phases.
FailureCause classify_rendering(const Error& error);

// Whether a container cannot be made or started because of how the release describes it: Compose's
// and the Engine's words. What the host lacks, and what is not known, is no fault of the release.
bool is_fault_of_release(std::string_view words);

}  // namespace trimtab
