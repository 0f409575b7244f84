#include "agent/plan/preflight/preflight.hpp"

#include <fmt/core.h>

namespace trimtab::preflight {

// A network can only be recreated once no container uses it: Compose 1.29.2 refuses, while 2.x
// leaves the old one as it is or takes the whole project down.
Findings network_changed(const Input& input) {
  if (input.current == nullptr) return {};
  Findings findings;
  const Json& before = json_object(input.current->model, "networks");
  const Json& after = json_object(input.next->model, "networks");
  for (const auto& item : before.items()) {
    const std::string& name = item.key();
    if (!after.contains(name)) continue;
    const nlohmann::json old_definition = item.value();
    const nlohmann::json new_definition = after[name];
    const bool renamed = json_string(item.value(), "name") != json_string(after[name], "name");
    if (renamed || old_definition == new_definition) continue;
    PreflightFinding finding;
    finding.name = "network-changed";
    finding.message = fmt::format(
        "the definition of the network {} changed, which cannot be applied while its containers "
        "run",
        name);
    finding.hint = "give the changed network another `name:`; the services are moved to it";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
