// Asks the Engine for a stack's own containers.
#pragma once

#include <string>
#include <vector>

#include "agent/config/settings.hpp"
#include "agent/docker/docker.hpp"
#include "agent/plan/ownership.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

struct ProjectContainers {
  std::vector<Container> own;      // by service and number, each inspected
  std::vector<Container> foreign;  // that bear the project's label all the same
  OwnSigns signs;                  // that tell one from the other
};

// All outlives the call. Errors: those of Docker.
Task<Result<ProjectContainers>> project_containers(Docker& docker, const StackSettings& settings,
                                                   const Store& store, std::string project);

// The own ones alone.
Task<Result<std::vector<Container>>> own_containers(Docker& docker, const StackSettings& settings,
                                                    const Store& store, std::string project);

}  // namespace trimtab
