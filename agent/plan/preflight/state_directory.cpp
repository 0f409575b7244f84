#include "agent/plan/preflight/preflight.hpp"

#include <fmt/core.h>

namespace trimtab::preflight {

// It contains the secrets of all stacks, and write access to it is equivalent to root.
Findings state_directory(const Input& input) {
  Findings findings;
  for (const auto& [path, who] : input.shown_state) {
    PreflightFinding finding;
    finding.name = "state-directory";
    finding.message = fmt::format("{} {}, which exposes trimtab's own state directory", who, path);
    finding.hint = "mount another directory: this one contains the secrets of all stacks";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
