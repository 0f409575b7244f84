#include "common/yaml_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "common/json.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

bool is_safe_plain(const std::string& text) {
  if (text.empty()) return false;
  const auto first = static_cast<unsigned char>(text[0]);
  if (std::isalpha(first) == 0 && first != '/' && first != '_') return false;
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "_./@:-") != std::string::npos) {
    return false;
  }
  // Stricter than trimtab's own parser, because others treat more words as booleans.
  constexpr std::array<std::string_view, 9> words{"null",  "true", "yes", "on", "y",
                                                  "false", "no",   "off", "n"};
  return text.back() != ':' &&
         std::find(words.begin(), words.end(), lower_case(text)) == words.end();
}

// Characters that YAML 1.1 rejects or treats as line breaks, although JSON does not require
// escaping them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> not_in_yaml{{
    {"\x7F", "\\x7f"},
    {"\u2028", "\\u2028"},
    {"\u2029", "\\u2029"},
    {"\uFEFF", "\\ufeff"},
    {"\uFFFE", "\\ufffe"},
    {"\uFFFF", "\\uffff"},
}};

// A JSON string is a double-quoted YAML scalar, except for a few characters.
std::string quoted(const std::string& text) {
  const std::string json = dump_json(Json(text));
  std::string out;
  for (std::string_view rest = json; !rest.empty();) {
    const auto escape =
        std::find_if(not_in_yaml.begin(), not_in_yaml.end(),
                     [&](const auto& candidate) { return rest.starts_with(candidate.first); });
    if (escape != not_in_yaml.end()) {
      out += escape->second;
      rest.remove_prefix(escape->first.size());
      continue;
    }
    // U+0080 to U+009F are control characters, and U+0085 is a line break.
    const bool control =
        rest.size() > 1 && rest[0] == '\xC2' && static_cast<unsigned char>(rest[1]) < 0xA0;
    if (control) {
      constexpr std::string_view hex = "0123456789abcdef";
      const auto code = static_cast<unsigned char>(rest[1]);
      out += "\\x";
      out += hex[code >> 4U];
      out += hex[code & 15U];
      rest.remove_prefix(2);
      continue;
    }
    out += rest.front();
    rest.remove_prefix(1);
  }
  return out;
}

}  // namespace

std::string yaml_text(const std::string& text) {
  return is_safe_plain(text) ? text : quoted(text);
}

}  // namespace trimtab
