#include <fmt/core.h>

#include <set>

#include "agent/model/service.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

bool is_external(const Json& definition) {
  return definition.contains("external") &&
         (definition["external"].is_object() || json_bool(definition, "external"));
}

// Returns the name on the host; `key` is the name in the Compose file.
std::string name_of(const Json& definition, const std::string& key) {
  const std::string old_form = json_string(json_object(definition, "external"), "name");
  return json_string(definition, "name", old_form.empty() ? key : old_form);
}

// Returns the external ones that services use but the host does not have.
std::vector<std::string> missing_of(const Json& definitions, const std::set<std::string>& used,
                                    const std::set<std::string>& present) {
  std::set<std::string> missing;
  for (const auto& item : definitions.items()) {
    if (!used.contains(item.key()) || !is_external(item.value())) continue;
    const std::string name = name_of(item.value(), item.key());
    if (!present.contains(name)) missing.insert(name);
  }
  return {missing.begin(), missing.end()};
}

void add(PreflightFinding& finding, const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  if (!finding.message.empty()) finding.message += ", and ";
  finding.message += fmt::format("{}{}{}{}{} not exist here", "the external ", what,
                                 names.size() == 1 ? " " : "s ", join(names, ", "),
                                 names.size() == 1 ? " does" : " do");
  for (const std::string& name : names) {
    finding.hint +=
        fmt::format("{}{}{} create {}`", finding.hint.empty() ? "`" : ", `", "docker ", what, name);
  }
}

}  // namespace

// Compose would report them one at a time, after it has begun.
Findings external_missing(const Input& input) {
  std::set<std::string> networks;
  std::set<std::string> volumes;
  for (const std::string& service : input.next->service_names()) {
    for (const std::string& name : networks_of(input.next->service(service))) networks.insert(name);
    for (const Mount& mount : mounts_of(input.next->service(service))) {
      if (mount.type == "volume") volumes.insert(mount.source);
    }
  }
  PreflightFinding finding;
  finding.name = "external-missing";
  finding.cause = FailureCause::host;
  const Json& model = input.next->model;
  if (input.networks) {
    add(finding, "network", missing_of(json_object(model, "networks"), networks, *input.networks));
  }
  if (input.volumes) {
    add(finding, "volume", missing_of(json_object(model, "volumes"), volumes, *input.volumes));
  }
  if (finding.message.empty()) return {};
  return {finding};
}

}  // namespace trimtab::preflight
