// JSON enters through one door: bounded and without exceptions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"

// Compiled once, in json.cpp, and not wherever a value is used.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace trimtab {

using Json = nlohmann::ordered_json;

// Errc::invalid where the text is not one JSON value, or nests deeper than 64 levels.
Result<Json> parse_json(std::string_view text);

// Invalid UTF-8 is replaced, never thrown on. indent < 0: one line.
std::string dump_json(const Json& value, int indent = -1);

// The member `key` of an object if it is there and has the type; else the fallback.
std::string json_string(const Json& object, std::string_view key, std::string fallback = {});
std::int64_t json_int(const Json& object, std::string_view key, std::int64_t fallback = 0);
bool json_bool(const Json& object, std::string_view key, bool fallback = false);
// The member if it is an object (or array); else an empty one. The reference lives as long as
// `object`.
const Json& json_object(const Json& object, std::string_view key);
const Json& json_array(const Json& object, std::string_view key);

}  // namespace trimtab
