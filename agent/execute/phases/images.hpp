// Brings images of a deployment onto this host.
#pragma once

#include <map>
#include <string>

#include "agent/execute/deployment.hpp"

namespace trimtab::phases {

// By service. The deployment outlives the call. Errors: those of Puller.
Task<Result<void>> bring_images(Deployment& deployment, std::map<std::string, ImagePin> images);

}  // namespace trimtab::phases
