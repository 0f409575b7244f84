#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

// Whether the container was created from this checkout: in its root, in the directory of the first
// Compose file (Compose's default), or from one of the files.
bool is_of_this_checkout(const Container& container, const Input& input) {
  if (container.working_dir == input.directory) return true;
  if (input.compose_files.empty()) return false;
  const std::string& first = input.compose_files.front();
  const auto slash = first.rfind('/');
  const bool in_its_folder =
      slash != std::string::npos &&
      container.working_dir == input.directory + "/" + first.substr(0, slash);
  const std::vector<std::string> used = split(container.config_files, ',');
  return in_its_folder ||
         std::find(used.begin(), used.end(), input.directory + "/" + first) != used.end();
}

}  // namespace

// With another project name the volumes would not be found, and a database would appear empty.
Findings other_project(const Input& input) {
  if (!input.is_first) return {};
  std::map<std::string, std::string> others;  // project → directory it runs from
  for (const Container& container : input.all_containers) {
    if (!container.project.empty() && container.project != input.project &&
        is_of_this_checkout(container, input)) {
      others.emplace(container.project, container.working_dir);
    }
  }
  Findings findings;
  for (const auto& [other, directory] : others) {
    PreflightFinding finding;
    finding.name = "other-project";
    finding.cause = FailureCause::host;
    finding.subject = other;
    finding.message = fmt::format(
        "a project named {} already runs from {}, and this stack would start as {} with empty "
        "volumes",
        other, directory, input.project);
    finding.hint = fmt::format("write `project: {}` into the stack's file to take it over", other);
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
