// What is JSON is written as JSON for the same value.
#include "common/json.hpp"

#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  const auto value = parse_json(input);
  if (!value) return;
  const auto text = dump_json(*value);
  const auto again = parse_json(text);
  require(again.has_value() && dump_json(*again) == text);
}

}  // namespace trimtab::fuzz
