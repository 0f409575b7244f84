#include "agent/plan/preflight/preflight.hpp"

#include <fmt/core.h>

namespace trimtab::preflight {

Findings untracked_collision(const Input& input) {
  Findings findings;
  for (const std::string& path : input.collisions) {
    PreflightFinding finding;
    finding.name = "untracked-file-in-the-way";
    finding.cause = FailureCause::host;
    finding.subject = path;
    finding.message = fmt::format(
        "the commit has the file {}, but {} has a different, untracked file of that name", path,
        input.directory);
    finding.hint = "move one of the two away";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
