// Observes what is running of a stack, by the signs of its releases.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/execute/own_containers.hpp"
#include "agent/plan/volumes.hpp"
#include "agent/reconcile/renderings.hpp"
#include "common/async.hpp"

namespace trimtab {

struct Observation {
  Observed own;                          // the stack's own containers
  Observed of_release;                   // without those created manually beside the release
  std::vector<Container> foreign;        // with the project's label, but not the stack's
  OwnSigns signs;                        // that distinguish them from its own
  std::vector<LostVolume> lost_volumes;  // of the deployed release
  std::vector<std::string> drift;        // from the verified running set, in words
  std::optional<Error> error;            // why the observation is not newer
};

class Observer {
 public:
  // All outlive this.
  Observer(Docker& docker, const StackSettings& settings, const Store& store,
           const Renderings& renderings)
      : docker_(docker), settings_(settings), store_(store), renderings_(renderings) {}

  // Observes the project. Its volumes are listed every half minute, or each time while one seems
  // lost; if they cannot be listed they are taken from `before`. Errors: those of Docker.
  Task<Result<Observation>> observe(std::string project, Observation before);

  // Returns `found` without the containers created manually beside the current release; all of
  // `found` if that release cannot be read.
  [[nodiscard]] std::vector<Container> of_release(const ProjectContainers& found) const;

 private:
  Task<std::vector<LostVolume>> check_volumes(const Rendering* rendering,
                                              std::vector<Container> own,
                                              std::vector<LostVolume> before);

  Docker& docker_;
  const StackSettings& settings_;
  const Store& store_;
  const Renderings& renderings_;
  SteadyClock::time_point volumes_until_{};  // then they are listed again
};

}  // namespace trimtab
