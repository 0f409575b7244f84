#include "agent/plan/preflight/preflight.hpp"

#include <algorithm>

namespace trimtab::preflight {

Findings check(const Input& input) {
  Findings all;
  for (const auto& one :
       {unset_variable,      no_service,           only_build,     state_directory,
        bind_source_missing, host_port_taken,      other_project,  project_in_use,
        foreign_container,   taken_over,           volume_missing, volume_changed,
        network_changed,     untracked_collision,  host_access,    disk_space,
        postgres_major,      service_settings,     certificates,   health_known_late,
        external_missing,    container_name_taken, stored_form,    compose_warning}) {
    const Findings found = one(input);
    all.insert(all.end(), found.begin(), found.end());
  }
  std::stable_partition(all.begin(), all.end(), [](const PreflightFinding& finding) {
    return finding.severity == PreflightFinding::Severity::error;
  });
  return all;
}

}  // namespace trimtab::preflight
