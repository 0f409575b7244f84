// Brings images of a deployment onto this host.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "agent/execute/deployment_run.hpp"

namespace trimtab::phases {

// By service. Errors: those of Puller; nothing where `unwanted` came true before they were here:
// what is transferred then, or waited for, is cut off at once. The deployment outlives the call.
Task<std::optional<Result<void>>> bring_images(DeploymentRun& run,
                                               std::map<std::string, ImagePin> images,
                                               std::function<bool()> unwanted);

}  // namespace trimtab::phases
