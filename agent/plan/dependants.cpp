#include "agent/plan/dependants.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "agent/model/service.hpp"
#include "agent/plan/rolling.hpp"

namespace trimtab {
namespace {

constexpr std::string_view of_service = "service:";
constexpr std::string_view of_container = "container:";

constexpr std::array<std::pair<const char*, const char*>, 3> namespaces{
    {{"network_mode", "shares its network"},
     {"ipc", "shares its memory"},
     {"pid", "shares its processes"}}};

std::string service_with_container_name(const Rendering& rendering, std::string_view name) {
  for (const std::string& service : rendering.service_names()) {
    if (json_string(rendering.service(service), "container_name") == name) return service;
  }
  return {};
}

// Maps "service:vpn" to "vpn" and "container:my-vpn" to the service of that container; "" for
// anything else.
std::string service_meant_by(const Rendering& rendering, std::string_view mode) {
  if (mode.starts_with(of_service)) return std::string(mode.substr(of_service.size()));
  if (!mode.starts_with(of_container)) return {};
  return service_with_container_name(rendering, mode.substr(of_container.size()));
}

// Parses "db", "db:ro", "container:my-db" and "container:my-db:ro".
std::string service_of_volumes(const Rendering& rendering, std::string_view entry) {
  const bool named = entry.starts_with(of_container);
  const std::size_t begin = named ? of_container.size() : 0;
  const std::string_view name = entry.substr(begin, entry.find(':', begin) - begin);
  return named ? service_with_container_name(rendering, name) : std::string(name);
}

Step* step_of(Plan& plan, const std::string& service) {
  const auto found = std::find_if(plan.steps.begin(), plan.steps.end(),
                                  [&](const Step& step) { return step.service == service; });
  return found == plan.steps.end() ? nullptr : &*found;
}

bool gets_new_containers(Action action) {
  return action == Action::create || action == Action::recreate || action == Action::roll;
}

bool any_runs(const Observed& observed, const std::string& service) {
  return std::any_of(observed.containers.begin(), observed.containers.end(), [&](const auto& one) {
    return one.service == service &&
           (one.state == ContainerState::running || one.state == ContainerState::restarting);
  });
}

// Returns whether the step was changed.
bool go_along(Step& step, const Tie& tie, Action leader, const Rendering& rendering,
              const Observed& observed) {
  const bool renewed = gets_new_containers(leader);
  if (!renewed && leader != Action::restart) return false;
  if (gets_new_containers(step.action) || step.action == Action::remove) return false;
  const bool recreate = renewed && !tie.words.empty();
  if (!recreate && step.action == Action::restart) return false;
  step.action = recreate ? Action::recreate : Action::restart;
  step.risk = Risk::restart;
  if (recreate) {
    step.risk =
        risk_of_replacing(rendering.service(step.service), containers_of(observed, step.service));
  }
  step.reasons.push_back(fmt::format("goes with {}: {}", tie.service,
                                     tie.words.empty() ? "it is restarted with it" : tie.words));
  return true;
}

// Replaces a leader's restart by new containers if those of a dependent service are new: they join
// what is running when they are created, and would keep the old namespaces if the leader restarted
// afterwards.
bool renew_leader(Plan& plan, const Step& step, const Tie& tie, const Rendering& rendering,
                  const Observed& observed) {
  Step* const leader = step_of(plan, tie.service);
  if (leader == nullptr || leader->action != Action::restart) return false;
  if (tie.words.empty() || !gets_new_containers(step.action)) return false;
  leader->action = Action::recreate;
  leader->risk = risk_of_replacing(rendering.service(leader->service),
                                   containers_of(observed, leader->service));
  return true;
}

}  // namespace

std::vector<Tie> ties_of(const Rendering& rendering, const std::string& service) {
  const Json& definition = rendering.service(service);
  std::vector<Tie> ties;
  const auto add = [&](const std::string& other, const char* words) {
    const bool known =
        std::any_of(ties.begin(), ties.end(), [&](const Tie& tie) { return tie.service == other; });
    if (!other.empty() && other != service && !known) ties.push_back({other, words});
  };
  for (const auto& [key, words] : namespaces) {
    add(service_meant_by(rendering, json_string(definition, key)), words);
  }
  for (const Json& entry : json_array(definition, "volumes_from")) {
    if (!entry.is_string()) continue;
    add(service_of_volumes(rendering, entry.get<std::string>()), "mounts its volumes");
  }
  for (const auto& item : json_object(definition, "depends_on").items()) {
    if (json_bool(item.value(), "restart")) add(item.key(), "");
  }
  return ties;
}

void take_dependants_along(Plan& plan, const Rendering& rendering, const Observed& observed) {
  // Terminates: each pass changes a step, and a step only ever escalates from nothing to a restart
  // to new containers.
  bool changed = true;
  while (changed) {
    changed = false;
    for (Step& step : plan.steps) {
      const std::vector<Tie> ties = ties_of(rendering, step.service);
      for (const Tie& tie : ties) {
        const Step* const leader = step_of(plan, tie.service);
        if (leader == nullptr) continue;
        const bool at_rest = step.action == Action::none && !any_runs(observed, step.service);
        if (!at_rest && go_along(step, tie, leader->action, rendering, observed)) changed = true;
        if (renew_leader(plan, step, tie, rendering, observed)) changed = true;
      }
    }
  }
}

bool has_lost_what_it_shares(const Rendering& rendering, const Observed& observed,
                             const std::string& service) {
  const Json& definition = rendering.service(service);
  for (const auto& [key, words] : namespaces) {
    // Containers of other projects come and go independently of trimtab.
    const std::string mode = json_string(definition, key);
    if (mode.starts_with(of_container) && service_meant_by(rendering, mode).empty()) return false;
  }
  const auto is_there = [&](const std::string& id) {
    return std::any_of(observed.containers.begin(), observed.containers.end(),
                       [&](const Container& other) { return other.id == id; });
  };
  return std::any_of(
      observed.containers.begin(), observed.containers.end(), [&](const Container& container) {
        return container.service == service &&
               !std::all_of(container.shares_with.begin(), container.shares_with.end(), is_there);
      });
}

}  // namespace trimtab
