#include "agent/model/outcome.hpp"

#include <array>
#include <utility>

namespace trimtab {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 7> outcome_names{{
    {Outcome::in_progress, "in_progress"},
    {Outcome::postponed, "postponed"},
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

}  // namespace trimtab
