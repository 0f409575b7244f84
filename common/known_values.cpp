#include "common/known_values.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {
namespace {

constexpr std::string_view hidden = "***";
constexpr std::size_t min_length = 4;
constexpr std::size_t min_length_anywhere = 8;
constexpr std::size_t min_length_of_lower_case_part = 10;
constexpr std::size_t max_digits_of_port = 5;
constexpr std::string_view quotes = "\"'`";

bool is_word_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Hiding these would make messages unreadable and protects nothing.
bool is_commonplace(const std::string& value) {
  constexpr std::array<std::string_view, 9> words{"true", "false", "yes",  "no",       "on",
                                                  "off",  "null",  "none", "localhost"};
  if (std::find(words.begin(), words.end(), lower_case(value)) != words.end()) return true;
  return value.size() <= max_digits_of_port &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Escapes as Go's %q and JSON do.
std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

std::string replace_value(std::string text, const std::string& value) {
  const bool alone = value.size() < min_length_anywhere;
  for (std::size_t at = text.find(value); at != std::string::npos; at = text.find(value, at)) {
    const std::size_t end = at + value.size();
    const bool inside = (at > 0 && is_word_character(text[at - 1])) ||
                        (end < text.size() && is_word_character(text[end]));
    if (alone && inside) {
      ++at;
      continue;
    }
    text.replace(at, value.size(), hidden);
    at += hidden.size();
  }
  return text;
}

}  // namespace

void KnownValues::add(std::string_view value) {
  for (const std::string& line : split(value, '\n')) {
    const std::string whole(trim(line));
    if (whole.empty()) continue;
    const bool is_short = whole.size() < min_length || is_commonplace(whole);
    std::vector<std::string>& list = is_short ? short_values_ : values_;
    for (const std::string& form : {whole, http::percent_encode(whole), escaped(whole)}) {
      if (std::find(list.begin(), list.end(), form) == list.end()) list.push_back(form);
    }
  }
  std::stable_sort(values_.begin(), values_.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

void KnownValues::add_public(std::string_view text) {
  public_text_ += fmt::format("{}\n", text);
}

bool KnownValues::is_public(const std::string& value) const {
  return public_text_.find(value) != std::string::npos;
}

std::string KnownValues::hide_in(std::string_view text) const {
  std::string shown(text);
  for (const std::string& value : values_) {
    if (!is_public(value)) shown = replace_value(std::move(shown), value);
  }
  return shown;
}

bool KnownValues::is_part_of_value(const std::string& word, bool in_quotes) const {
  if (word.size() < min_length || is_public(word)) return false;
  // An ordinary word of a sentence may be part of a value by coincidence.
  const bool plain =
      std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (plain && !in_quotes && word.size() < min_length_of_lower_case_part) return false;
  const std::string lower = lower_case(word);
  return std::any_of(values_.begin(), values_.end(), [&](const std::string& value) {
    return !is_public(value) && lower_case(value).find(lower) != std::string::npos;
  });
}

std::string KnownValues::hide_in_error(std::string_view text) const {
  const std::string whole = hide_in(text);
  std::string shown;
  std::size_t at = 0;
  while (at < whole.size()) {
    constexpr std::string_view ends = " \t\n\"'`,;:()[]{}<>=";
    if (ends.find(whole[at]) != std::string_view::npos) {
      shown += whole[at++];
      continue;
    }
    const std::size_t end = std::min(whole.find_first_of(ends, at), whole.size());
    const std::string word = whole.substr(at, end - at);
    const bool in_quotes = at > 0 && quotes.find(whole[at - 1]) != std::string_view::npos;
    const bool is_short_value =
        in_quotes && end < whole.size() && whole[end] == whole[at - 1] &&
        std::find(short_values_.begin(), short_values_.end(), word) != short_values_.end();
    shown += is_short_value || is_part_of_value(word, in_quotes) ? std::string(hidden) : word;
    at = end;
  }
  return shown;
}

}  // namespace trimtab
