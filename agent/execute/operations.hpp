// A plan's operations on containers, as values: their order, and which of the
// containers that are there it is about. Pure, so that a phase that is begun again after a crash
// goes the same way as one that goes on.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"
#include "agent/model/running_set.hpp"

namespace trimtab {

struct Operation {
  enum class Kind {
    make_room,  // what leaves and holds a port or a name that is needed now
    apply,      // Compose makes and replaces
    await,      // until what reloaded and rolled services depend on works, or has done its work
    roll,
    restart,
    reload,
    remove,  // what the release no longer has
  };
  Kind kind = Kind::apply;
  std::vector<std::string> services;

  friend bool operator==(const Operation&, const Operation&) = default;
};

// In their order; none that has nothing to do. `next`: the rendering of the release that the plan
// leads to. `going_back`: what leaves is removed as well, which forward waits for the gate.
std::vector<Operation> operations_of(const Plan& plan, const Rendering& next,
                                     const std::vector<Container>& present, bool going_back);

bool is_named(const std::string& service, const std::vector<std::string>& services);

// Those of these services.
std::vector<Container> containers_of(const std::vector<Container>& present,
                                     const std::vector<std::string>& services);

// Each after those of them that it depends on.
std::vector<std::string> dependencies_first(std::vector<std::string> services,
                                            const Rendering& rendering);

// Containers that were made to take another one's place and never started, while that one is there.
std::vector<Container> half_made(const std::vector<Container>& present);

// Whether a container that the plan replaces is still the one that ran before. What was not
// verified to run, as where a stack is taken over, Compose compares by itself.
bool any_to_replace(const Plan& plan, const RunningSet& before,
                    const std::vector<Container>& present);

// Of services that are rolled, the containers that are to go: all but `keep`.
SeenContainers outgoing_of(const std::vector<std::string>& services,
                           const std::vector<Container>& present, const SeenContainers& keep);

}  // namespace trimtab
