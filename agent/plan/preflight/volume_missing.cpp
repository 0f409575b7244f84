#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

// Compose would create an empty one, and a database would start on it as if it had never had data.
Findings volume_missing(const Input& input) {
  Findings findings;
  for (const LostVolume& lost : made_anew(input.lost_volumes, *input.next, input.project)) {
    PreflightFinding finding;
    finding.name = "volume-missing";
    finding.cause = FailureCause::host;
    finding.subject = lost.volume;
    finding.message = lost.text();
    finding.hint = lost.hint();
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
