// Parses JSON with limits and without exceptions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"

// Compiled once, in json.cpp, rather than in every file that uses a value.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace trimtab {

using Json = nlohmann::ordered_json;

// Errc::invalid if the text is not exactly one JSON value or nests deeper than 64 levels.
Result<Json> parse_json(std::string_view text);

// Replaces invalid UTF-8 instead of throwing. indent < 0: on one line.
std::string dump_json(const Json& value, int indent = -1);

// Return the member `key` of an object if it exists and has this type, else the fallback.
std::string json_string(const Json& object, std::string_view key, std::string fallback = {});
std::int64_t json_int(const Json& object, std::string_view key, std::int64_t fallback = 0);
bool json_bool(const Json& object, std::string_view key, bool fallback = false);
// Return the member if it is an object (or array), else an empty one. The reference is valid as
// long as `object`.
const Json& json_object(const Json& object, std::string_view key);
const Json& json_array(const Json& object, std::string_view key);

}  // namespace trimtab
