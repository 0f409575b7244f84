#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

// An empty project would remove everything that is running.
Findings no_service(const Input& input) {
  if (!input.next->service_names().empty()) return {};
  PreflightFinding finding;
  finding.name = "no-service";
  finding.message = "the compose file has no service left";
  finding.hint = "nothing is removed because of it: commit a compose file that has services";
  return {finding};
}

}  // namespace trimtab::preflight
