#include "common/retry_after.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace trimtab::http {

std::chrono::seconds retry_after(std::string_view header, WallTime now) {
  constexpr std::chrono::seconds none{0};
  constexpr std::chrono::seconds longest = std::chrono::hours(1);
  const std::string text(trim(header));
  const char* const end = text.data() + text.size();
  std::int64_t seconds = 0;
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (stop == end && error == std::errc()) {
    return std::clamp(std::chrono::seconds(seconds), none, longest);
  }
  // The only date format that servers may still generate.
  std::tm date{};
  const char* const read = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (read == nullptr || *read != '\0') return none;
  const auto when = std::chrono::system_clock::from_time_t(::timegm(&date));
  const auto wait = std::chrono::duration_cast<std::chrono::seconds>(when - now);
  return std::clamp(wait, none, longest);
}

}  // namespace trimtab::http
