#include <fmt/core.h>

#include <map>

#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

PreflightFinding in_use(const Input& input, const std::string& by) {
  PreflightFinding finding;
  finding.name = "project-in-use";
  finding.cause = FailureCause::host;
  finding.subject = by;
  finding.message = fmt::format(
      "the project {} belongs to {}: this stack would take over its containers and volumes",
      input.project, by);
  finding.hint = "write `project:` with a name of its own into this stack's file";
  return finding;
}

}  // namespace

// Compose distinguishes projects only by name, and a Compose file may set the same name for all of
// its checkouts.
Findings project_in_use(const Input& input) {
  if (!input.project_holder.empty()) return {in_use(input, "the stack " + input.project_holder)};
  if (!input.is_first) return {};
  std::map<std::string, std::string> elsewhere;  // directory → one of its containers
  for (const Container& container : input.foreign) {
    if (container.is_counted && !container.working_dir.empty()) {
      elsewhere.emplace(container.working_dir, container.name);
    }
  }
  Findings findings;
  for (const auto& [directory, name] : elsewhere) {
    findings.push_back(in_use(input, fmt::format("what runs from {} ({})", directory, name)));
  }
  return findings;
}

}  // namespace trimtab::preflight
