#include "agent/model/plan.hpp"

#include <algorithm>

#include "common/enum_names.hpp"

namespace trimtab {
namespace {

constexpr EnumNames<Action, 7> action_names{{
    {Action::none, "none"},
    {Action::create, "create"},
    {Action::recreate, "recreate"},
    {Action::restart, "restart"},
    {Action::roll, "roll"},
    {Action::reload, "reload"},
    {Action::remove, "remove"},
}};

constexpr EnumNames<Risk, 3> risk_names{{
    {Risk::none, "none"},
    {Risk::restart, "restart"},
    {Risk::data, "data"},
}};

}  // namespace

std::string_view to_string(Action action) {
  return name_of(action_names, action);
}
std::string_view to_string(Risk risk) {
  return name_of(risk_names, risk);
}
Action action_from(std::string_view text) {
  return value_of(action_names, text).value_or(Action::none);
}
Risk risk_from(std::string_view text) {
  return value_of(risk_names, text).value_or(Risk::none);
}

bool Plan::empty() const {
  return std::all_of(steps.begin(), steps.end(),
                     [](const Step& step) { return step.action == Action::none; });
}

std::vector<std::string> Plan::with(Action action) const {
  std::vector<std::string> names;
  for (const Step& step : steps) {
    if (step.action == action) names.push_back(step.service);
  }
  return names;
}

std::vector<std::string> Plan::to_apply() const {
  std::vector<std::string> names = with(Action::create);
  const auto recreated = with(Action::recreate);
  names.insert(names.end(), recreated.begin(), recreated.end());
  std::sort(names.begin(), names.end());
  return names;
}

bool has_errors(const std::vector<PreflightFinding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const PreflightFinding& finding) {
    return finding.severity == PreflightFinding::Severity::error;
  });
}

}  // namespace trimtab
