// A file of the store, whatever became of it on the disk: what is read is written for the same.
#include "agent/record/release_json.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  const auto json = parse_json(input);
  if (!json) return;
  if (const auto release = release_from_json(*json)) {
    const auto again = release_from_json(to_json(*release));
    require(again.has_value() && to_json(*again) == to_json(*release));
  }
  if (const auto deployment = deployment_from_json(*json)) {
    const auto again = deployment_from_json(to_json(*deployment));
    require(again.has_value() && to_json(*again) == to_json(*deployment));
  }
}

}  // namespace trimtab::fuzz
