#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

Findings untracked_collision(const Input& input) {
  Findings findings;
  for (const std::string& path : input.collisions) {
    PreflightFinding finding;
    const bool env_file = path == input.env_file;
    finding.name = env_file ? "env-file-tracked" : "untracked-file-in-the-way";
    finding.cls = FailureClass::world;
    finding.subject = path;
    finding.message = "the commit has the file " + path + ", but " + input.directory +
                      " has a different one of that name that Git does not track";
    finding.hint = env_file ? "take it out of Git (git rm --cached " + path + "): it holds secrets"
                            : "move one of the two away";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
