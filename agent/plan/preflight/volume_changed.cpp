#include "agent/plan/preflight/preflight.hpp"

#include <fmt/core.h>

namespace trimtab::preflight {
namespace {

PreflightFinding finding_of(std::string name, PreflightFinding::Severity severity,
                            std::string message, std::string hint) {
  PreflightFinding finding;
  finding.name = std::move(name);
  finding.severity = severity;
  finding.message = std::move(message);
  finding.hint = std::move(hint);
  return finding;
}

bool is_external(const Json& definition) {
  return json_bool(definition, "external") || !json_object(definition, "external").empty();
}

// Returns the definition without the name, which only selects the host's volume.
nlohmann::json options_of(Json definition) {
  if (definition.is_object()) definition.erase("name");
  return definition.empty() ? nlohmann::json() : nlohmann::json(definition);
}

}  // namespace

// Compose can apply a changed volume definition only by deleting the volume.
Findings volume_changed(const Input& input) {
  if (input.current == nullptr) return {};
  Findings findings;
  const Json& before = json_object(input.current->model, "volumes");
  const Json& after = json_object(input.next->model, "volumes");
  for (const auto& item : before.items()) {
    const std::string& key = item.key();
    if (!after.contains(key)) {
      findings.push_back(
          finding_of("volume-dropped", PreflightFinding::Severity::warning,
                     fmt::format("the volume {} is no longer in the compose file", key),
                     "it is kept on this host; `docker volume ls` shows it"));
      continue;
    }
    const std::string from = volume_name(*input.current, input.project, key);
    const std::string to = volume_name(*input.next, input.project, key);
    if (from != to) {
      findings.push_back(
          finding_of("volume-renamed", PreflightFinding::Severity::error,
                     fmt::format("the volume {} would be {} instead of {}, without the data in it",
                                 key, to, from),
                     fmt::format("write `name: {}`, or move the data manually and declare {} "
                                 "beside it, under another name in the compose file",
                                 from, to)));
    } else if (!is_external(after[key]) && options_of(item.value()) != options_of(after[key])) {
      findings.push_back(finding_of(
          "volume-changed", PreflightFinding::Severity::error,
          fmt::format("the definition of the volume {} changed, which would delete the data in it",
                      key),
          "give the new volume another name, or move the data manually first"));
    }
  }
  return findings;
}

}  // namespace trimtab::preflight
