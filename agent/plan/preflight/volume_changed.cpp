#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

// Compose can apply a changed definition of a volume only by deleting the volume.
Findings volume_changed(const Input& input) {
  if (input.current == nullptr) return {};
  Findings findings;
  const Json& before = json_object(input.current->model, "volumes");
  const Json& after = json_object(input.next->model, "volumes");
  for (const auto& item : before.items()) {
    const std::string& name = item.key();
    if (!after.contains(name)) {
      PreflightFinding finding;
      finding.name = "volume-dropped";
      finding.severity = PreflightFinding::Severity::warning;
      finding.message = "the volume " + name + " is no longer in the compose file";
      finding.hint = "it is kept on this host; `docker volume ls` shows it";
      findings.push_back(std::move(finding));
    } else if (nlohmann::json(item.value()) != nlohmann::json(after[name])) {
      PreflightFinding finding;
      finding.name = "volume-changed";
      finding.message =
          "the definition of the volume " + name + " changed, which would delete the data in it";
      finding.hint = "give the new volume another name, or move the data by hand first";
      findings.push_back(std::move(finding));
    }
  }
  return findings;
}

}  // namespace trimtab::preflight
