#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

Findings compose_warning(const Input& input) {
  Findings findings;
  for (const std::string& warning : input.compose_warnings) {
    PreflightFinding finding;
    finding.name = "compose-warning";
    finding.severity = PreflightFinding::Severity::warning;
    finding.message = "Compose warns: " + warning;
    finding.hint = "`docker compose config` in a checkout shows the same";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
