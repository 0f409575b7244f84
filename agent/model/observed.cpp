#include "agent/model/observed.hpp"

namespace trimtab {

std::string_view to_string(ContainerState state) {
  switch (state) {
    case ContainerState::created:
      return "created";
    case ContainerState::running:
      return "running";
    case ContainerState::paused:
      return "paused";
    case ContainerState::restarting:
      return "restarting";
    case ContainerState::removing:
      return "removing";
    case ContainerState::exited:
      return "exited";
    case ContainerState::dead:
      return "dead";
  }
  return "unknown";
}

std::string_view to_string(Health health) {
  switch (health) {
    case Health::none:
      return "none";
    case Health::starting:
      return "starting";
    case Health::healthy:
      return "healthy";
    case Health::unhealthy:
      return "unhealthy";
  }
  return "unknown";
}

bool is_anonymous_volume(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<const Container*> containers_of(const Observed& observed, const std::string& service) {
  std::vector<const Container*> found;
  for (const Container& container : observed.containers) {
    if (container.service == service) found.push_back(&container);
  }
  return found;
}

}  // namespace trimtab
