// Converts Compose files between YAML and JSON values, preserving types: "1" stays a string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/json.hpp"
#include "common/result.hpp"

namespace trimtab {

// Parses YAML (or JSON, which is a subset). Quoted scalars are strings; plain ones are null,
// booleans and numbers according to YAML 1.1. Resolves merge keys. invalid, with line and column,
// if the text does not parse, nests deeper than 64 levels or has more than 100,000 nodes.
Result<Json> parse_yaml(std::string_view text);

// Removes the services that are in profiles, but in none of these: `docker-compose config` of
// version 1 prints them all.
void drop_disabled_services(Json& model, const std::vector<std::string>& profiles);

// Emits block-style YAML that YAML 1.1 and 1.2 parsers read as the same values.
std::string emit_yaml(const Json& value);

}  // namespace trimtab
