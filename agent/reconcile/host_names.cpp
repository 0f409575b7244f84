#include "agent/reconcile/host_names.hpp"

#include <algorithm>

namespace trimtab {

Task<void> look_up_names(Docker& docker, preflight::Input* input) {
  auto networks = co_await docker.networks();
  if (networks) input->networks = std::move(*networks);
  auto volumes = co_await docker.volumes();
  if (volumes) input->volumes = std::move(*volumes);
}

bool is_about_names(const std::vector<PreflightFinding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const PreflightFinding& finding) {
    return finding.name == "external-missing" || finding.name == "container-name-taken";
  });
}

Task<bool> has_all_names(Docker& docker, std::string project, const Rendering* rendering) {
  preflight::Input input;
  input.project = std::move(project);
  input.next = rendering;
  co_await look_up_names(docker, &input);
  auto containers = co_await docker.all_containers();
  if (!containers || !input.networks || !input.volumes) co_return false;
  input.all_containers = std::move(*containers);
  co_return preflight::external_missing(input).empty() &&
      preflight::container_name_taken(input).empty();
}

}  // namespace trimtab
