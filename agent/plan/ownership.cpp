#include "agent/plan/ownership.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace trimtab {
namespace {

constexpr std::string_view hexadecimal = "0123456789abcdef";

bool is_at_or_below(const std::string& path, const std::string& directory) {
  return !directory.empty() && (path == directory || path.starts_with(directory + "/"));
}

// "shop-web-1", or "shop_web_1" from docker-compose 1.
bool has_name_of_compose(const Container& container, const std::set<std::string>& chosen) {
  const std::string name = without_old_id(container.name);
  if (chosen.contains(name)) return true;
  const std::string number = std::to_string(container.number);
  return name == container.project + "-" + container.service + "-" + number ||
         name == container.project + "_" + container.service + "_" + number;
}

Maker maker_by_labels(const Container& container, const OwnSigns& signs) {
  const bool is_of_service = container.project == signs.project && !container.service.empty() &&
                             container.is_marked && !container.oneoff;
  if (!is_of_service) return Maker::other;
  if (is_at_or_below(container.config_files, signs.state_directory)) return Maker::trimtab;
  return is_at_or_below(container.working_dir, signs.directory) ? Maker::hand : Maker::other;
}

bool has_labels_of(const Container& one, const Container& other) {
  return one.id != other.id && one.project == other.project && one.service == other.service &&
         one.number == other.number && one.config_files == other.config_files &&
         one.is_counted == other.is_counted;
}

}  // namespace

std::string without_old_id(const std::string& name) {
  constexpr std::size_t digits = 12;
  const bool has_id =
      name.size() > digits && name.find_first_not_of(hexadecimal) == digits && name[digits] == '_';
  return has_id ? name.substr(digits + 1) : name;
}

Maker maker_of(const Container& container, const OwnSigns& signs) {
  if (signs.ids.contains(container.id)) return Maker::trimtab;
  return has_name_of_compose(container, signs.names) ? maker_by_labels(container, signs)
                                                     : Maker::other;
}

std::vector<Container> oddly_named(const std::vector<Container>& containers,
                                   const OwnSigns& signs) {
  std::vector<Container> found;
  for (const Container& container : containers) {
    const bool is_own = maker_of(container, signs) != Maker::other;
    if (!is_own && maker_by_labels(container, signs) != Maker::other) found.push_back(container);
  }
  return found;
}

std::set<std::string> names_to_take_over(const std::vector<Container>& containers,
                                         const OwnSigns& signs) {
  std::set<std::string> names;
  for (const Container& odd : oddly_named(containers, signs)) {
    const bool is_alone =
        std::none_of(containers.begin(), containers.end(),
                     [&](const Container& other) { return has_labels_of(odd, other); });
    if (is_alone) names.insert(without_old_id(odd.name));
  }
  return names;
}

std::vector<Container> own_among(const std::vector<Container>& containers, const OwnSigns& signs) {
  std::vector<Container> own;
  for (const Container& container : containers) {
    if (maker_of(container, signs) != Maker::other) own.push_back(container);
  }
  return own;
}

std::vector<Container> foreign_among(const std::vector<Container>& containers,
                                     const OwnSigns& signs) {
  std::vector<Container> foreign;
  for (const Container& container : containers) {
    const bool bears_label = container.project == signs.project && !container.oneoff;
    if (bears_label && maker_of(container, signs) == Maker::other) foreign.push_back(container);
  }
  return foreign;
}

std::vector<Container> without_hand_made_rest(std::vector<Container> containers,
                                              const OwnSigns& signs, const Rendering& release) {
  std::erase_if(containers, [&](const Container& container) {
    return release.service(container.service).empty() &&
           maker_of(container, signs) != Maker::trimtab;
  });
  return containers;
}

std::optional<Error> foreign_obstacle(const std::vector<Container>& foreign,
                                      const std::vector<std::string>& services) {
  for (const Container& container : foreign) {
    if (!container.is_counted) continue;
    if (std::find(services.begin(), services.end(), container.service) == services.end()) continue;
    return Error{Errc::conflict,
                 fmt::format("the container {} has the labels of this stack's service {}, but was "
                             "not created for it, and Compose would replace it",
                             container.name, container.service),
                 fmt::format("if nobody needs it, remove it: `docker rm -f {}`", container.name)};
  }
  return std::nullopt;
}

std::set<std::string> services_taken_by(const std::vector<Container>& foreign) {
  std::set<std::string> services;
  for (const Container& container : foreign) {
    if (container.is_counted) services.insert(container.service);
  }
  return services;
}

std::set<std::string> container_names(const Rendering& rendering) {
  std::set<std::string> names;
  for (const std::string& service : rendering.service_names()) {
    std::string name = json_string(rendering.service(service), "container_name");
    if (!name.empty()) names.insert(std::move(name));
  }
  return names;
}

}  // namespace trimtab
