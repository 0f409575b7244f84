#include "agent/model/release.hpp"

#include <array>

namespace trimtab {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 6> outcome_names{{
    {Outcome::in_progress, "in_progress"},
    {Outcome::good, "good"},
    {Outcome::rejected, "rejected"},
    {Outcome::rolled_back, "rolled_back"},
    {Outcome::failed, "failed"},
    {Outcome::superseded, "superseded"},
}};

}  // namespace

std::string_view to_string(Outcome outcome) {
  for (const auto& [value, name] : outcome_names) {
    if (value == outcome) return name;
  }
  return "failed";
}

std::optional<Outcome> outcome_from(std::string_view text) {
  for (const auto& [value, name] : outcome_names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

const Json& Rendering::service(const std::string& name) const {
  return json_object(json_object(model, "services"), name);
}

std::vector<std::string> Rendering::service_names() const {
  std::vector<std::string> names;
  for (const auto& item : json_object(model, "services").items()) names.push_back(item.key());
  return names;
}

}  // namespace trimtab
