#include <fmt/core.h>

#include <algorithm>

#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

Findings container_name_taken(const Input& input) {
  Findings findings;
  for (const std::string& service : input.next->service_names()) {
    const std::string name = json_string(input.next->service(service), "container_name");
    const auto holder = std::find_if(input.all_containers.begin(), input.all_containers.end(),
                                     [&](const Container& one) { return one.name == name; });
    if (name.empty() || holder == input.all_containers.end()) continue;
    if (holder->project == input.project) continue;
    PreflightFinding finding;
    finding.name = "container-name-taken";
    finding.cause = FailureCause::host;
    finding.message = fmt::format(
        "service {} needs the container name {}, which is used by a container {}", service, name,
        holder->project.empty() ? "that belongs to no project"
                                : "of the project " + holder->project);
    finding.hint = fmt::format(
        "`docker rename {} OTHER` or `docker rm {}` frees it; or remove `container_name` from the "
        "compose file",
        name, name);
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
