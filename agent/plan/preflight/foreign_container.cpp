#include "agent/plan/ownership.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

Findings foreign_container(const Input& input) {
  if (!project_in_use(input).empty()) return {};  // covers all of them
  const auto obstacle = foreign_obstacle(input.foreign, input.next->service_names());
  if (!obstacle) return {};
  PreflightFinding finding;
  finding.name = "foreign-container";
  finding.cause = FailureCause::host;
  finding.subject = obstacle->message;
  finding.message = obstacle->message;
  finding.hint = obstacle->hint;
  return {finding};
}

}  // namespace trimtab::preflight
