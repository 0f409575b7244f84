#include "agent/execute/operations.hpp"

#include <algorithm>

#include "agent/model/service.hpp"

namespace trimtab {
namespace {

bool is_in_the_way(const Rendering& next, const Container& outgoing) {
  for (const std::string& name : next.service_names()) {
    const std::string wanted_name = json_string(next.service(name), "container_name");
    if (!wanted_name.empty() && wanted_name == outgoing.name) return true;
    for (const PublishedPort& wanted : published_ports_of(next.service(name))) {
      for (const PublishedPort& held : outgoing.ports) {
        if (wanted.host_port == held.host_port && wanted.protocol == held.protocol) return true;
      }
    }
  }
  return false;
}

std::vector<std::string> in_the_way(const Plan& plan, const Rendering& next,
                                    const std::vector<Container>& present) {
  std::vector<std::string> services;
  for (const Container& container : containers_of(present, plan.with(Action::remove))) {
    if (is_in_the_way(next, container)) services.push_back(container.service);
  }
  return services;
}

// Returns the started services on which later operations depend: a reloaded proxy sends requests to
// them, and Compose does not wait for dependencies when it is asked for a rolled service alone.
std::vector<std::string> awaited(const Plan& plan, const Rendering& next) {
  const std::vector<std::string> started = plan.to_apply();
  std::set<std::string> services;
  for (const Action action : {Action::reload, Action::roll}) {
    for (const std::string& dependant : plan.with(action)) {
      for (std::string& name : dependencies_of(next.service(dependant))) {
        if (is_named(name, started)) services.insert(std::move(name));
      }
    }
  }
  return {services.begin(), services.end()};
}

}  // namespace

bool is_named(const std::string& service, const std::vector<std::string>& services) {
  return std::find(services.begin(), services.end(), service) != services.end();
}

std::vector<Operation> operations_of(const Plan& plan, const Rendering& next,
                                     const std::vector<Container>& present, bool going_back) {
  using Kind = Operation::Kind;
  std::vector<Operation> operations{
      // Removed services are removed after the gate, so that a rollback need not start them again.
      {Kind::make_room, in_the_way(plan, next, present)},
      {Kind::apply, plan.to_apply()},
      // Before the rolling update, which reloads proxies too.
      {Kind::await, awaited(plan, next)},
      {Kind::roll, dependencies_first(plan.with(Action::roll), next)},
      // A service that shares another one's network must be restarted after it.
      {Kind::restart, dependencies_first(plan.with(Action::restart), next)},
      {Kind::reload, plan.with(Action::reload)},
  };
  // Not earlier, because a proxy may still send requests there.
  if (going_back) operations.push_back({Kind::remove, plan.with(Action::remove)});
  std::erase_if(operations, [](const Operation& one) { return one.services.empty(); });
  return operations;
}

std::vector<Container> containers_of(const std::vector<Container>& present,
                                     const std::vector<std::string>& services) {
  std::vector<Container> theirs;
  for (const Container& container : present) {
    if (is_named(container.service, services)) theirs.push_back(container);
  }
  return theirs;
}

std::vector<std::string> dependencies_first(std::vector<std::string> services,
                                            const Rendering& rendering) {
  std::vector<std::string> ordered;
  while (!services.empty()) {
    auto next = std::find_if(services.begin(), services.end(), [&](const std::string& service) {
      const auto needs = dependencies_of(rendering.service(service));
      return std::find_first_of(needs.begin(), needs.end(), services.begin(), services.end()) ==
             needs.end();
    });
    if (next == services.end()) next = services.begin();  // Compose rejects cycles
    ordered.push_back(std::move(*next));
    services.erase(next);
  }
  return ordered;
}

std::vector<Container> half_made(const std::vector<Container>& present) {
  std::vector<Container> half;
  for (const Container& container : present) {
    const bool beside = std::any_of(present.begin(), present.end(), [&](const Container& other) {
      return other.service == container.service && other.number == container.number &&
             other.state != ContainerState::created;
    });
    if (container.state == ContainerState::created && beside) half.push_back(container);
  }
  return half;
}

bool any_to_replace(const Plan& plan, const RunningSet& before,
                    const std::vector<Container>& present) {
  const std::vector<std::string> services = plan.to_apply();
  return std::any_of(present.begin(), present.end(), [&](const Container& container) {
    return is_named(container.service, services) && before.has(container.service, container.id);
  });
}

SeenContainers outgoing_of(const std::vector<std::string>& services,
                           const std::vector<Container>& present, const SeenContainers& keep) {
  SeenContainers outgoing;
  for (const Container& container : containers_of(present, services)) {
    const auto kept = keep.find(container.service);
    const bool stays = kept != keep.end() && kept->second.contains(container.id);
    if (!stays) outgoing[container.service].insert(container.id);
  }
  return outgoing;
}

}  // namespace trimtab
