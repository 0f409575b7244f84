#include "agent/model/running_set.hpp"

#include <algorithm>

namespace trimtab {

bool RunningSet::is_whole() const {
  return release != 0 && std::none_of(services.begin(), services.end(),
                                      [](const auto& entry) { return entry.second.is_touched; });
}

const RunningService* RunningSet::find(const std::string& service) const {
  const auto found = services.find(service);
  return found == services.end() ? nullptr : &found->second;
}

bool RunningSet::has(const std::string& service, const std::string& container) const {
  const RunningService* const known = find(service);
  return known != nullptr && known->containers.contains(container);
}

std::set<std::string> RunningSet::jobs() const {
  std::set<std::string> names;
  for (const auto& [name, service] : services) {
    if (service.is_job) names.insert(name);
  }
  return names;
}

SeenContainers RunningSet::containers() const {
  SeenContainers all;
  for (const auto& [name, service] : services) {
    if (!service.containers.empty()) all[name] = service.containers;
  }
  return all;
}

void touch(RunningSet& running, const Plan& plan) {
  for (const Step& step : plan.steps) {
    if (step.action != Action::none) running.services[step.service].is_touched = true;
  }
}

}  // namespace trimtab
