// The configuration: whatever is in a file, it is settings or a finding with its place.
#include "agent/config/load.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  std::vector<Finding> findings;
  parse_daemon(input, "/etc/trimtab/trimtab.yaml", findings);
  parse_stack(input, "/etc/trimtab/stacks.d/shop.yaml", findings);
  for (const auto& finding : findings) require(!to_string(finding).empty());
}

}  // namespace trimtab::fuzz
