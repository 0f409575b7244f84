// Asks the Engine for a stack's own containers.
#pragma once

#include <filesystem>
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

// Where Compose was run in the directory, come to in another way, such as through a link: the same
// paths of the containers with the directory's own name in front. Asks the disk.
void name_paths_as(const std::filesystem::path& directory, std::vector<Container>& containers);

// All outlives the call. Errors: those of Docker.
Task<Result<ProjectContainers>> project_containers(Docker& docker, const StackSettings& settings,
                                                   const Store& store, std::string project);

// The own ones alone.
Task<Result<std::vector<Container>>> own_containers(Docker& docker, const StackSettings& settings,
                                                    const Store& store, std::string project);

}  // namespace trimtab
