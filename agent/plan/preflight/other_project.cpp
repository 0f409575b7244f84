#include <set>

#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

// Under another project name the volumes would not be found, and the database would look empty.
Findings other_project(const Input& input) {
  if (input.current != nullptr) return {};
  std::set<std::string> others;
  for (const Container& container : input.all_containers) {
    if (container.working_dir == input.directory && !container.project.empty() &&
        container.project != input.project) {
      others.insert(container.project);
    }
  }
  Findings findings;
  for (const std::string& other : others) {
    PreflightFinding finding;
    finding.name = "other-project";
    finding.cls = FailureClass::world;
    finding.subject = other;
    finding.message = "a project named " + other + " already runs from " + input.directory +
                      ", and this stack would start as " + input.project + " with empty volumes";
    finding.hint = "write `project: " + other + "` into the stack's file to take it over";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
