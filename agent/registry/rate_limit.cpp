#include "agent/registry/rate_limit.hpp"

#include <algorithm>
#include <charconv>

namespace trimtab {

namespace {

std::optional<std::int64_t> leading_number(std::string_view text) {
  text = trim(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  const bool whole = end == text.data() + text.size() || *end == ';';
  return whole ? std::optional(number) : std::nullopt;
}

}  // namespace

std::chrono::seconds pause_of_pulls(const http::Headers& headers, WallTime now) {
  constexpr std::chrono::seconds none{0};
  constexpr std::chrono::seconds usual = std::chrono::minutes(15);
  constexpr std::chrono::seconds longest = std::chrono::hours(1);
  // A number too large for a duration is a date.
  constexpr std::int64_t first_date = 1'000'000'000;
  const auto remaining = leading_number(http::find_header(headers, "RateLimit-Remaining"));
  if (remaining != 0) return none;
  const auto reset = leading_number(http::find_header(headers, "RateLimit-Reset"));
  if (!reset) return usual;
  const auto since_1970 =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::int64_t wait = *reset < first_date ? *reset : *reset - since_1970;
  return std::clamp(std::chrono::seconds(wait), none, longest);
}

}  // namespace trimtab
