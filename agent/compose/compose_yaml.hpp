// Compose files between YAML and JSON values, with the types kept: "1" stays a string.
#pragma once

#include <string>
#include <string_view>

#include "common/json.hpp"
#include "common/result.hpp"

namespace trimtab {

// Reads YAML (or JSON, which is YAML). Quoted scalars are strings; plain ones are null, booleans
// and numbers where YAML 1.1 says so. Merge keys are resolved. invalid, with line and column, where
// it does not parse, nests deeper than 64 levels or has more than 100 000 nodes.
Result<Json> parse_yaml(std::string_view text);

// Block-style YAML that every YAML reader takes for the same values.
std::string emit_yaml(const Json& value);

}  // namespace trimtab
