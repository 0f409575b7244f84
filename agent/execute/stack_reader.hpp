// Reads what the phases of a deployment decide by: the stack's containers, the renderings of its
// releases, the images of these on this host. Changes nothing.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/execute/own_containers.hpp"

namespace trimtab {

// All outlive the reader.
struct StackReaderDeps {
  const StackSettings& settings;
  const std::string& project;
  Docker& docker;
  const Store& store;
  // Makes sure that the release's compose.yaml is one that the present Compose can read.
  const std::function<Task<Result<void>>(int release)>& rerender_for_current_compose;
};

class StackReader {
 public:
  explicit StackReader(StackReaderDeps deps) : deps_(deps) {}

  // The errors are those of Docker, and of reading or rendering a release.
  [[nodiscard]] Task<Result<ProjectContainers>> found() const;
  // The stack's own, and no others.
  [[nodiscard]] Task<Result<std::vector<Container>>> containers() const;
  [[nodiscard]] Task<Result<Rendering>> rendering(int number) const;
  // Service → id that its pinned image has on this host.
  [[nodiscard]] Task<Result<std::map<std::string, std::string>>> image_ids(Release release) const;
  [[nodiscard]] Task<Result<void>> volumes_are_there(int number) const;
  // Whether Compose may be asked for what the plan replaces: it would take over containers that are
  // not the stack's, and make empty volumes in place of lost ones. conflict where it may not.
  [[nodiscard]] Task<Result<void>> may_apply(int number, Plan plan) const;

 private:
  StackReaderDeps deps_;
};

}  // namespace trimtab
