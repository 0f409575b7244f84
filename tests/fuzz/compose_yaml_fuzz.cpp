// What a compose file says is the same after it was written and read again.
#include "agent/compose/compose_yaml.hpp"

#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  const auto value = parse_yaml(input);
  if (!value) {
    require(!value.error().message.empty());
    return;
  }
  const auto again = parse_yaml(emit_yaml(*value));
  require(again.has_value() && dump_json(*again) == dump_json(*value));
}

}  // namespace trimtab::fuzz
