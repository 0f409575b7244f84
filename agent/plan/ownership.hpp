// Whose the containers are that bear the labels of a stack's project. Anybody can give a container
// any label, and an image made of one hands them on: what is not known to be the stack's own is
// never stopped, removed, restarted or counted. Its own are those whose ids a release knows, and
// those that Compose has made, by its labels and its name for them, from a file of the stack's
// state directory (Maker::trimtab) or from the stack's directory (Maker::hand). One made by hand is
// replaced if the release has its service; otherwise it is told in status and left alone. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "agent/model/release.hpp"
#include "common/result.hpp"

namespace trimtab {

// What a stack's own containers are known by.
struct OwnSigns {
  std::string project;
  std::string directory;        // the live one
  std::string state_directory;  // the stack's; the files that Compose is given lie below it
  std::set<std::string> ids;    // of containers that releases are known to have had
  // Besides those that Compose gives: of `container_name` in the stack's releases, and of what is
  // taken over.
  std::set<std::string> names;
};

enum class Maker {
  trimtab,  // for a release
  hand,     // somebody, by Compose, from the stack's own directory
  other,    // anybody else
};

// A container's id is the surest sign; without it, all that Compose gives a container must fit: the
// labels, and the name, which is no label and exists once.
Maker maker_of(const Container& container, const OwnSigns& signs);

// Those that would be the stack's own, were it not for their names.
std::vector<Container> oddly_named(const std::vector<Container>& containers, const OwnSigns& signs);

// Before the first release names are as whoever made the containers has chosen them. The names of
// the oddly named ones, but for those of which another has the labels too: a copy, made with
// `docker commit` for example, inherits them all.
std::set<std::string> names_to_take_over(const std::vector<Container>& containers,
                                         const OwnSigns& signs);

// Compose puts twelve digits of the old container's id before the new one's name until the old one
// is gone: the name without these.
std::string without_old_id(const std::string& name);

// The stack's own containers, made by hand or by trimtab.
std::vector<Container> own_among(const std::vector<Container>& containers, const OwnSigns& signs);
// The others that bear the project's label, one-off containers left out.
std::vector<Container> foreign_among(const std::vector<Container>& containers,
                                     const OwnSigns& signs);

// Without those made by hand for services that the release does not have: a plan would remove them.
std::vector<Container> without_hand_made_rest(std::vector<Container> containers,
                                              const OwnSigns& signs, const Rendering& release);

// Why Compose must not be asked for these services (conflict): it would replace a container that is
// not the stack's, since it goes by the labels alone. None: it may be asked.
std::optional<Error> foreign_obstacle(const std::vector<Container>& foreign,
                                      const std::vector<std::string>& services);

// The services of which these seem to be containers to Compose.
std::set<std::string> services_taken_by(const std::vector<Container>& foreign);

// What `container_name` gives.
std::set<std::string> container_names(const Rendering& rendering);

}  // namespace trimtab
