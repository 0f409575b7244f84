// Parses the WWW-Authenticate header (RFC 9110, section 11.6.1).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

struct Challenge {
  std::string scheme;                             // lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  // names in lower case, values unquoted

  // Returns the parameter's value, or "".
  [[nodiscard]] std::string parameter(const std::string& name) const;

  friend bool operator==(const Challenge&, const Challenge&) = default;
};

// Returns the challenges of one header line in order; a line may hold several. Parsing stops at the
// first syntax error; challenges before it are kept.
std::vector<Challenge> parse_challenges(std::string_view header);

}  // namespace trimtab
