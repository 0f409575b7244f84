#include "agent/model/observed.hpp"

#include "common/enum_names.hpp"

namespace trimtab {

namespace {

constexpr EnumNames<ContainerState, 7> state_names{{
    {ContainerState::created, "created"},
    {ContainerState::running, "running"},
    {ContainerState::paused, "paused"},
    {ContainerState::restarting, "restarting"},
    {ContainerState::removing, "removing"},
    {ContainerState::exited, "exited"},
    {ContainerState::dead, "dead"},
}};

constexpr EnumNames<Health, 4> health_names{{
    {Health::none, "none"},
    {Health::starting, "starting"},
    {Health::healthy, "healthy"},
    {Health::unhealthy, "unhealthy"},
}};

}  // namespace

std::string_view to_string(ContainerState state) {
  return name_of(state_names, state);
}

std::optional<ContainerState> container_state_from(std::string_view text) {
  return value_of(state_names, text);
}

std::string_view to_string(Health health) {
  return name_of(health_names, health);
}

std::optional<Health> health_from(std::string_view text) {
  return value_of(health_names, text);
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
