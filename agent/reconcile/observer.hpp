// What runs of a stack, seen through what its releases say.
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
  Observed own;                          // all of its own
  Observed of_release;                   // without what was made by hand beside the release
  std::vector<Container> foreign;        // that bear the project's label, but are not the stack's
  OwnSigns signs;                        // that tell them from its own
  std::vector<LostVolume> lost_volumes;  // of what is deployed
  std::vector<std::string> drift;        // from what was verified, in words
  std::optional<Error> error;            // why it is as old as it is
};

class Observer {
 public:
  // All outlive this.
  Observer(Docker& docker, const StackSettings& settings, const Store& store,
           const Renderings& renderings)
      : docker_(docker), settings_(settings), store_(store), renderings_(renderings) {}

  // What the Engine tells of the project now. Its volumes are asked for every half a minute, or
  // each time where one seems lost; what it does not tell of them stays as it was `before`. Errors:
  // those of Docker.
  Task<Result<Observation>> observe(std::string project, Observation before);

  // `found` without what was made by hand beside the current release; all of it where that release
  // cannot be read.
  [[nodiscard]] std::vector<Container> of_release(const ProjectContainers& found) const;

 private:
  Task<std::vector<LostVolume>> check_volumes(const Rendering* rendering,
                                              std::vector<Container> own,
                                              std::vector<LostVolume> before);

  Docker& docker_;
  const StackSettings& settings_;
  const Store& store_;
  const Renderings& renderings_;
  SteadyClock::time_point volumes_until_{};  // then the Engine is asked for them again
};

}  // namespace trimtab
