#include "agent/execute/demand.hpp"

#include <algorithm>

#include "agent/model/service.hpp"
#include "agent/plan/diff.hpp"

namespace trimtab {

GateDemand demand_of(const Rendering& rendering, const GateSettings& settings,
                     const std::map<std::string, std::string>& image_ids, const Observed& present,
                     const RunningSet& verified, const Plan& plan,
                     const std::set<std::string>& exempt_services) {
  GateDemand demand;
  demand.timeout = settings.timeout;
  demand.stable = settings.stable;
  std::set<std::string> applied;
  std::set<std::string> left_alone;
  std::set<std::string> removed;
  for (const Step& step : plan.steps) {
    // A reload keeps the container, including its earlier restarts.
    const bool kept = step.action == Action::none || step.action == Action::reload;
    (kept ? left_alone : step.action == Action::remove ? removed : applied).insert(step.service);
  }
  for (const std::string& name : rendering.service_names()) {
    const Json& service = rendering.service(name);
    GateDemand::Service wanted;
    wanted.replicas = replicas_of(service);
    // If an operator manually gave a service another image, that does not count against this
    // deployment.
    const auto id = image_ids.find(name);
    if (id != image_ids.end() && !left_alone.contains(name)) wanted.image_id = id->second;
    const bool stopped = std::any_of(
        present.containers.begin(), present.containers.end(), [&](const Container& container) {
          return container.service == name && is_stopped_manually(container);
        });
    wanted.must_run = applied.contains(name) ||
                      (!stopped && !removed.contains(name) && !exempt_services.contains(name));
    demand.services[name] = wanted;
  }
  for (const std::string& name : rendering.service_names()) {
    for (const std::string& job : jobs_awaited_by(rendering.service(name))) {
      const auto found = demand.services.find(job);
      if (found != demand.services.end()) found->second.awaited_job = true;
    }
  }
  for (const Container& container : present.containers) {
    const bool was_there = verified.has(container.service, container.id);
    if (was_there && !applied.contains(container.service)) demand.untouched.insert(container.id);
  }
  return demand;
}

}  // namespace trimtab
