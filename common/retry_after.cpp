#include "common/retry_after.hpp"

#include <algorithm>
#include <ctime>
#include <string>

#include "common/number.hpp"

namespace trimtab::http {

std::chrono::seconds retry_after(std::string_view header, WallTime now) {
  constexpr std::chrono::seconds none{0};
  constexpr std::chrono::seconds longest = std::chrono::hours(1);
  const std::string text(trim(header));
  if (const auto seconds = parse_number<std::int64_t>(text)) {
    return std::clamp(std::chrono::seconds(*seconds), none, longest);
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
