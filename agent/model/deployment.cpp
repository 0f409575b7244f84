#include "agent/model/deployment.hpp"

#include <algorithm>

#include "common/enum_names.hpp"

namespace trimtab {
namespace {

constexpr EnumNames<Phase, 9> phase_names{{
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

constexpr EnumNames<DeploymentKind, 5> kind_names{{
    {DeploymentKind::deploy, "deploy"},
    {DeploymentKind::repair, "repair"},
    {DeploymentKind::record_only, "record_only"},
    {DeploymentKind::operator_rollback, "operator_rollback"},
    {DeploymentKind::probation_rollback, "probation_rollback"},
}};

}  // namespace

std::string_view to_string(DeploymentKind kind) {
  return name_of(kind_names, kind);
}

std::optional<DeploymentKind> deployment_kind_from(std::string_view text) {
  return value_of(kind_names, text);
}

std::string_view to_string(Phase phase) {
  return name_of(phase_names, phase);
}

std::optional<Phase> phase_from(std::string_view text) {
  return value_of(phase_names, text);
}

void add_notice(Deployment& deployment, const std::string& notice) {
  const auto& known = deployment.notices;
  if (std::find(known.begin(), known.end(), notice) == known.end()) {
    deployment.notices.push_back(notice);
  }
}

}  // namespace trimtab
