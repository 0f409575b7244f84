#include "agent/plan/preflight/preflight.hpp"

#include <fmt/core.h>

namespace trimtab::preflight {

// Docker would create an empty directory, owned by root, in its place.
Findings bind_source_missing(const Input& input) {
  Findings findings;
  for (const std::string& source : input.missing_sources) {
    PreflightFinding finding;
    finding.name = "bind-source-missing";
    finding.cause = FailureCause::host;
    finding.subject = source;
    finding.message = fmt::format("a service mounts {}, which does not exist", source);
    finding.hint =
        "create it on this server or commit it; otherwise Docker would mount an empty directory";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
