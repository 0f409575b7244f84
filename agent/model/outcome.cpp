#include "agent/model/outcome.hpp"

#include "common/enum_names.hpp"

namespace trimtab {
namespace {

constexpr EnumNames<Outcome, 7> outcome_names{{
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
  return name_of(outcome_names, outcome);
}

std::optional<Outcome> outcome_from(std::string_view text) {
  return value_of(outcome_names, text);
}

}  // namespace trimtab
