// The WWW-Authenticate header (RFC 9110, section 11.6.1): how a server wants to be asked.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

struct Challenge {
  std::string scheme;                             // lower-case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  // names in lower-case, values unquoted

  // The parameter's value, or "".
  [[nodiscard]] std::string parameter(const std::string& name) const;

  friend bool operator==(const Challenge&, const Challenge&) = default;
};

// The challenges of one header line, in its order; one line may hold several. Reading stops at
// the first thing that the grammar does not allow, what was read before it is kept.
std::vector<Challenge> parse_challenges(std::string_view header);

}  // namespace trimtab
