#include "agent/compose/compose_yaml.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace trimtab {
namespace {

constexpr int max_depth = 64;
constexpr int max_nodes = 100'000;

struct Refused {
  std::string why;
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 3> null_words{"", "~", "null"};
constexpr std::array<std::string_view, 3> true_words{"true", "yes", "on"};
constexpr std::array<std::string_view, 3> false_words{"false", "no", "off"};

Json plain_scalar(const std::string& text) {
  const std::string word = lower(text);
  if (is_one_of(word, null_words)) return nullptr;
  if (is_one_of(word, true_words)) return true;
  if (is_one_of(word, false_words)) return false;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const bool starts_like_number =
      std::isdigit(static_cast<unsigned char>(text[0])) != 0 ||
      ((text[0] == '-' || text[0] == '+') && text.size() > 1 &&
       std::isdigit(static_cast<unsigned char>(text[1])) != 0);
  if (!starts_like_number) return text;
  const char* const digits = text[0] == '+' ? begin + 1 : begin;
  // A leading zero is octal in YAML 1.1 (file modes): kept as that number.
  const bool octal = text.size() > 1 && text[0] == '0' &&
                     text.find_first_not_of("01234567") == std::string::npos;
  std::int64_t integer = 0;
  if (const auto [stop, ec] = std::from_chars(digits, end, integer, octal ? 8 : 10);
      ec == std::errc() && stop == end) {
    return integer;
  }
  double real = 0;
  if (const auto [stop, ec] = std::from_chars(digits, end, real);
      ec == std::errc() && stop == end && text.find('.') != std::string::npos) {
    return real;
  }
  return text;
}

class Converter {
 public:
  Json convert(const YAML::Node& node, int depth = 0) {
    if (depth > max_depth) throw Refused{"it nests deeper than 64 levels"};
    if (++nodes_ > max_nodes) throw Refused{"it has more than 100 000 values"};
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        // yaml-cpp marks quoted scalars with the tag "!".
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

  // YAML 1.1 merge keys: what the map itself says wins.
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

bool is_safe_plain(const std::string& text) {
  if (text.empty()) return false;
  const auto first = static_cast<unsigned char>(text[0]);
  if (std::isalpha(first) == 0 && first != '/' && first != '_') return false;
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "_./@:-") != std::string::npos) {
    return false;
  }
  const std::string word = lower(text);
  return text.back() != ':' && !is_one_of(word, null_words) && !is_one_of(word, true_words) &&
         !is_one_of(word, false_words) && word != "y" && word != "n";
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    // A JSON string is a double-quoted YAML scalar.
    return is_safe_plain(text) ? text : dump_json(value);
  }
  return dump_json(value);
}

void emit(const Json& value, std::size_t indent, std::string& out);

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
      out += margin + scalar_text(Json(item.key())) + ':';
      emit_item(item.value(), indent + 2, out);
    }
  } else {
    for (const Json& item : value) {
      out += margin + '-';
      emit_item(item, indent + 2, out);
    }
  }
}

}  // namespace

Result<Json> parse_yaml(std::string_view text) {
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    return Converter().convert(root);
  } catch (const YAML::Exception& error) {
    return Error{Errc::invalid,
                 "line " + std::to_string(error.mark.line + 1) + ", column " +
                     std::to_string(error.mark.column + 1) + ": " + error.msg,
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

}  // namespace trimtab
