#include "agent/model/plan.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace trimtab {
namespace {

constexpr std::array<std::pair<Action, std::string_view>, 7> action_names{{
    {Action::none, "none"},
    {Action::create, "create"},
    {Action::recreate, "recreate"},
    {Action::restart, "restart"},
    {Action::roll, "roll"},
    {Action::reload, "reload"},
    {Action::remove, "remove"},
}};

constexpr std::array<std::pair<Risk, std::string_view>, 3> risk_names{{
    {Risk::none, "none"},
    {Risk::restart, "restart"},
    {Risk::data, "data"},
}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.first == value; });
  return row == table.end() ? std::string_view("none") : row->second;
}

template <class Table>
auto value_in(const Table& table, std::string_view name) {
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.second == name; });
  return row == table.end() ? table.front().first : row->first;
}

}  // namespace

std::string_view to_string(Action action) {
  return name_in(action_names, action);
}
std::string_view to_string(Risk risk) {
  return name_in(risk_names, risk);
}
Action action_from(std::string_view text) {
  return value_in(action_names, text);
}
Risk risk_from(std::string_view text) {
  return value_in(risk_names, text);
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
