#include "agent/execute/deployment_run.hpp"

namespace trimtab {

DeploymentRun::DeploymentRun(DeploymentDeps with, RunnerCallbacks asks)
    : deps(with),
      hooks(std::move(asks)),
      stack({deps.settings, deps.project, deps.docker, deps.store,
             hooks.rerender_for_current_compose}) {}

}  // namespace trimtab
