#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

// Compose would make an empty one, and a database start on it as if nothing had ever been there.
Findings volume_missing(const Input& input) {
  const auto wanted = named_volumes(*input.next, input.project);
  Findings findings;
  for (const LostVolume& lost : input.lost_volumes) {
    if (!wanted.contains(lost.volume)) continue;
    PreflightFinding finding;
    finding.name = "volume-missing";
    finding.cls = FailureClass::world;
    finding.subject = lost.volume;
    finding.message = lost.text();
    finding.hint = lost.hint();
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
