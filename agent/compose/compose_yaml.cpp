#include "agent/compose/compose_yaml.hpp"

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "common/number.hpp"
#include "common/yaml_text.hpp"

namespace trimtab {
namespace {

constexpr int max_depth = 64;
constexpr int max_nodes = 100'000;

struct Refused {
  std::string why;
};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 5> null_words{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 9> true_words{"true", "True", "TRUE", "yes", "Yes",
                                                     "YES",  "on",   "On",   "ON"};
constexpr std::array<std::string_view, 9> false_words{"false", "False", "FALSE", "no", "No",
                                                      "NO",    "off",   "Off",   "OFF"};
constexpr std::string_view decimal_digits = "0123456789";

bool consists_of(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

// Parses "12", "-0" and octal "0644", but not "08", which is a string in YAML 1.1.
std::optional<Json> integer_of(std::string_view text) {
  const std::string_view digits =
      text.substr(text.starts_with('-') || text.starts_with('+') ? 1 : 0);
  if (text.starts_with('+')) text = digits;
  if (digits.empty() || !consists_of(digits, decimal_digits)) return std::nullopt;
  const int base = digits.size() > 1 && digits.front() == '0' ? 8 : 10;
  if (const auto value = parse_number<std::int64_t>(text, base)) return Json(*value);
  if (const auto value = parse_number<std::uint64_t>(text, base)) return Json(*value);
  return std::nullopt;
}

// Parses "1.5" and "1.0e+30", but not "1e5" or "1.5e3", which are strings in YAML 1.1.
std::optional<Json> real_of(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto point = text.find('.');
  if (point == 0 || point == std::string_view::npos) return std::nullopt;
  const auto exponent = std::min(text.find_first_of("eE"), text.size());
  if (exponent < point || !consists_of(text.substr(0, point), decimal_digits) ||
      !consists_of(text.substr(point + 1, exponent - point - 1), decimal_digits)) {
    return std::nullopt;
  }
  if (exponent < text.size()) {
    const std::string_view power = text.substr(exponent + 1);
    const bool is_signed = power.starts_with('+') || power.starts_with('-');
    if (!is_signed || power.size() < 2 || !consists_of(power.substr(1), decimal_digits)) {
      return std::nullopt;
    }
  }
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, value);
  if (ec != std::errc() || stop != end) return std::nullopt;
  return Json(negative ? -value : value);
}

Json plain_scalar(const std::string& text) {
  if (is_one_of(text, null_words)) return nullptr;
  if (is_one_of(text, true_words)) return true;
  if (is_one_of(text, false_words)) return false;
  if (const std::optional<Json> integer = integer_of(text)) return *integer;
  if (const std::optional<Json> real = real_of(text)) return *real;
  return text;
}

class Converter {
 public:
  Json convert(const YAML::Node& node, int depth = 0) {
    if (depth > max_depth) throw Refused{"it nests deeper than 64 levels"};
    if (++nodes_ > max_nodes) throw Refused{"it has more than 100 000 values"};
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        // yaml-cpp tags quoted scalars with "!".
        return node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str"
                   ? Json(node.Scalar())
                   : plain_scalar(node.Scalar());
      case YAML::NodeType::Sequence: {
        Json list = Json::array();
        for (const auto& item : node) list.push_back(convert(item, depth + 1));
        return list;
      }
      case YAML::NodeType::Map:
        return convert_map(node, depth);
      default:
        return nullptr;
    }
  }

 private:
  Json convert_map(const YAML::Node& node, int depth) {
    Json map = Json::object();
    std::vector<YAML::Node> merged;
    for (const auto& item : node) {
      if (!item.first.IsScalar()) throw Refused{"a key is not a plain word"};
      if (item.first.Scalar() == "<<" && item.first.Tag() != "!") {
        merged.push_back(item.second);
        continue;
      }
      map[item.first.Scalar()] = convert(item.second, depth + 1);
    }
    for (const YAML::Node& source : merged) merge(source, depth, map);
    return map;
  }

  // YAML 1.1 merge keys: the map's own keys take precedence.
  void merge(const YAML::Node& source, int depth, Json& into) {
    const Json value = convert(source, depth + 1);
    const Json list = value.is_array() ? value : Json::array({value});
    for (const Json& map : list) {
      if (!map.is_object()) throw Refused{"a merge key (<<) names something that is no map"};
      for (const auto& item : map.items()) {
        if (!into.contains(item.key())) into[item.key()] = item.value();
      }
    }
  }

  int nodes_ = 0;
};

std::string scalar_text(const Json& value) {
  if (value.is_string()) {
    return yaml_text(value.get<std::string>());
  }
  std::string text = dump_json(value);
  // Without a decimal point YAML 1.1 reads "1e+30" as a string.
  if (value.is_number_float() && text.find('.') == std::string::npos) {
    text.insert(std::min(text.find('e'), text.size()), ".0");
  }
  return text;
}

// YAML parsers accept a longer key only if a question mark announces it.
constexpr std::size_t max_implicit_key = 1024;

void emit(const Json& value, std::size_t indent, std::string& out);

void emit_key(const std::string& key, const std::string& margin, std::string& out) {
  const std::string text = scalar_text(Json(key));
  const bool is_implicit = text.size() < max_implicit_key;
  out += is_implicit ? margin + text + ':' : margin + "? " + text + '\n' + margin + ':';
}

void emit_item(const Json& value, std::size_t indent, std::string& out) {
  const bool block = (value.is_object() || value.is_array()) && !value.empty();
  if (block) {
    out += '\n';
    emit(value, indent, out);
  } else {
    out += ' ';
    out += scalar_text(value);
    out += '\n';
  }
}

void emit(const Json& value, std::size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_object()) {
    for (const auto& item : value.items()) {
      emit_key(item.key(), margin, out);
      emit_item(item.value(), indent + 2, out);
    }
  } else {
    for (const Json& item : value) {
      out += margin + '-';
      emit_item(item, indent + 2, out);
    }
  }
}

// Whether the text is valid UTF-8. Otherwise keys that differ only in invalid bytes would become
// the same.
bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(Json(std::string(text)).dump());
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

}  // namespace

Result<Json> parse_yaml(std::string_view text) {
  if (!is_utf8(text)) return Error{Errc::invalid, "it is not UTF-8", "save the file as UTF-8"};
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    return Converter().convert(root);
  } catch (const YAML::Exception& error) {
    return Error{Errc::invalid,
                 fmt::format("line {}, column {}: {}", error.mark.line + 1, error.mark.column + 1,
                             error.msg),
                 {}};
  } catch (const Refused& refused) {
    return Error{Errc::invalid, refused.why, {}};
  }
}

std::string emit_yaml(const Json& value) {
  if ((!value.is_object() && !value.is_array()) || value.empty()) return scalar_text(value) + "\n";
  std::string out;
  emit(value, 0, out);
  return out;
}

void drop_disabled_services(Json& model, const std::vector<std::string>& profiles) {
  const auto is_chosen = [&](const Json& profile) {
    return profile.is_string() && std::find(profiles.begin(), profiles.end(),
                                            profile.get<std::string>()) != profiles.end();
  };
  std::vector<std::string> disabled;
  for (const auto& item : json_object(model, "services").items()) {
    const Json& own = json_array(item.value(), "profiles");
    const bool is_enabled = own.empty() || std::any_of(own.begin(), own.end(), is_chosen);
    if (!is_enabled) disabled.push_back(item.key());
  }
  for (const std::string& name : disabled) model["services"].erase(name);
}

}  // namespace trimtab
