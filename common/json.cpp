#include "common/json.hpp"

#include <fmt/core.h>

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace trimtab {

namespace {

constexpr int deepest = 64;

const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  bool too_deep = false;
  // Rejects excessive nesting during parsing, so that endless "[[[[…" cannot use up memory.
  const auto bound = [&too_deep](int depth, Json::parse_event_t event, Json&) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    too_deep = too_deep || (opens && depth >= deepest);
    return !too_deep;
  };
  Json value = Json::parse(text, bound, false);
  if (too_deep) {
    return Error{Errc::invalid, fmt::format("JSON nests deeper than {} levels", deepest), {}};
  }
  if (value.is_discarded()) return Error{Errc::invalid, "not valid JSON", {}};
  return value;
}

std::string dump_json(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string json_string(const Json& object, std::string_view key, std::string fallback) {
  const Json* const found = member(object, key);
  if (found == nullptr || !found->is_string()) return fallback;
  return found->get<std::string>();
}

std::int64_t json_int(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json* const found = member(object, key);
  if (found == nullptr || !found->is_number_integer()) return fallback;
  return found->get<std::int64_t>();
}

bool json_bool(const Json& object, std::string_view key, bool fallback) {
  const Json* const found = member(object, key);
  if (found == nullptr || !found->is_boolean()) return fallback;
  return found->get<bool>();
}

const Json& json_object(const Json& object, std::string_view key) {
  static const Json empty = Json::object();
  const Json* const found = member(object, key);
  return found != nullptr && found->is_object() ? *found : empty;
}

const Json& json_array(const Json& object, std::string_view key) {
  static const Json empty = Json::array();
  const Json* const found = member(object, key);
  return found != nullptr && found->is_array() ? *found : empty;
}

}  // namespace trimtab
