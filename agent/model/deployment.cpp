#include "agent/model/deployment.hpp"

#include <algorithm>
#include <array>

namespace trimtab {
namespace {

constexpr std::array<std::pair<Phase, std::string_view>, 9> phase_names{{
    {Phase::pulling, "pulling"},
    {Phase::before, "before"},
    {Phase::switching, "switching"},
    {Phase::starting, "starting"},
    {Phase::gating, "gating"},
    {Phase::committing, "committing"},
    {Phase::after, "after"},
    {Phase::rolling_back, "rolling_back"},
    {Phase::gating_rollback, "gating_rollback"},
}};

constexpr std::array<std::pair<DeploymentKind, std::string_view>, 5> kind_names{{
    {DeploymentKind::deploy, "deploy"},
    {DeploymentKind::repair, "repair"},
    {DeploymentKind::record_only, "record_only"},
    {DeploymentKind::operator_rollback, "operator_rollback"},
    {DeploymentKind::probation_rollback, "probation_rollback"},
}};

}  // namespace

std::string_view to_string(DeploymentKind kind) {
  for (const auto& [value, name] : kind_names) {
    if (value == kind) return name;
  }
  return "deploy";
}

std::optional<DeploymentKind> deployment_kind_from(std::string_view text) {
  for (const auto& [value, name] : kind_names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

std::string_view to_string(Phase phase) {
  for (const auto& [value, name] : phase_names) {
    if (value == phase) return name;
  }
  return "pulling";
}

std::optional<Phase> phase_from(std::string_view text) {
  for (const auto& [value, name] : phase_names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

void add_notice(Deployment& deployment, const std::string& notice) {
  const auto& known = deployment.notices;
  if (std::find(known.begin(), known.end(), notice) == known.end()) {
    deployment.notices.push_back(notice);
  }
}

}  // namespace trimtab
