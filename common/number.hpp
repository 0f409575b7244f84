// Numbers in texts.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace trimtab {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The number that the whole text is: digits, for signed types after an optional "-". Nothing where
// it is something else or does not fit.
template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace trimtab
