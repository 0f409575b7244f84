#include "agent/execute/deployment.hpp"

namespace trimtab {

Deployment::Deployment(ExecutorParts with, ExecutorHooks asks)
    : parts(with),
      hooks(std::move(asks)),
      stack({parts.settings, parts.project, parts.docker, parts.store, hooks.make_readable}) {}

}  // namespace trimtab
