// Decides which containers with the labels of a stack's project belong to the stack. Anyone can set
// labels on a container, and images made from one inherit them, so a container not known to be the
// stack's own is never stopped, removed, restarted or counted. A stack owns the containers whose
// ids a release recorded, and those that Compose created (judging by its labels and its naming)
// from a file in the stack's state directory (Maker::trimtab) or from the stack's directory
// (Maker::hand). One created manually is replaced if the release has its service; otherwise it is
// reported in the status and left alone. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/release.hpp"
#include "common/result.hpp"

namespace trimtab {

// How to recognise a stack's own containers.
struct OwnSigns {
  std::string project;
  std::string directory;        // live directory
  std::string state_directory;  // the stack's; contains the files that are passed to Compose
  std::set<std::string> ids;    // container ids recorded by releases
  // Accepted names besides those that Compose generates: `container_name`s in the stack's releases,
  // and names of containers that are taken over.
  std::set<std::string> names;
};

enum class Maker {
  trimtab,  // trimtab, for a release
  hand,     // somebody ran Compose in the stack's own directory
  other,    // anybody else
};

// Decides by the container's id or, if that is unknown, by everything that Compose sets: the
// labels, and the name, which is not a label and is unique.
Maker maker_of(const Container& container, const OwnSigns& signs);

// Returns the containers that would be the stack's own if it were not for their names.
std::vector<Container> oddly_named(const std::vector<Container>& containers, const OwnSigns& signs);

// Returns the names to accept before the first release, when containers have the names that their
// creators chose. Leaves out names of containers whose labels another container has too: a copy,
// made with `docker commit` for example, inherits all labels.
std::set<std::string> names_to_take_over(const std::vector<Container>& containers,
                                         const OwnSigns& signs);

// Removes the prefix of twelve digits of the old container's id, which Compose puts before the new
// container's name until the old one is gone.
std::string without_old_id(const std::string& name);

// Returns the stack's own containers, whether created manually or by trimtab.
std::vector<Container> own_among(const std::vector<Container>& containers, const OwnSigns& signs);
// Returns the other containers with the project's label, except one-off ones.
std::vector<Container> foreign_among(const std::vector<Container>& containers,
                                     const OwnSigns& signs);

// Removes manually created containers of services that the release does not have, because a plan
// would remove those.
std::vector<Container> without_hand_made_rest(std::vector<Container> containers,
                                              const OwnSigns& signs, const Rendering& release);

// Returns why Compose must not be run for these services (conflict): since it goes by labels alone,
// it would replace a container that is not the stack's. None if it may be run.
std::optional<Error> foreign_obstacle(const std::vector<Container>& foreign,
                                      const std::vector<std::string>& services);

// Returns the services to which Compose would attribute these containers.
std::set<std::string> services_taken_by(const std::vector<Container>& foreign);

// Returns all values of `container_name`.
std::set<std::string> container_names(const Rendering& rendering);

}  // namespace trimtab
