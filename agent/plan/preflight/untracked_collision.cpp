#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

Findings untracked_collision(const Input& input) {
  Findings findings;
  for (const std::string& path : input.collisions) {
    PreflightFinding finding;
    finding.name = "untracked-file-in-the-way";
    finding.cause = FailureCause::host;
    finding.subject = path;
    finding.message = "the commit has the file " + path + ", but " + input.directory +
                      " has a different, untracked file of that name";
    finding.hint = "move one of the two away";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
