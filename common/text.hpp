// Text: parsing and formatting of times, durations and sizes, and string helpers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

using WallClock = std::chrono::system_clock;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

WallTime wall_now();
// Formats RFC 3339 in UTC with milliseconds: 2026-11-23T00:07:23.123Z.
std::string format_time(WallTime time);
std::optional<WallTime> parse_time(std::string_view text);

// Parses "30s", "1h30m", "500ms", "2d". A bare number other than 0 is refused, because it has no
// unit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// Inverse of parse_duration, exact: "1h30m".
std::string format_duration(std::chrono::milliseconds duration);
// Formats for display: "12 s", "6.2 s", "2 h", "9 days".
std::string human_duration(std::chrono::milliseconds duration);

// Parses "512MiB", "10G", "1.5 GB" or "4096" into bytes. K, M, G and T, alone or followed by "i",
// are powers of 1024; with B (KB, MB …) they are powers of 1000.
std::optional<std::uint64_t> parse_size(std::string_view text);
// Formats for display: "38 MB", "4.1 GB" (powers of 1000).
std::string human_size(std::uint64_t bytes);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
// Changes only ASCII letters, regardless of the locale.
std::string lower_case(std::string_view text);
std::string replace_all(std::string text, std::string_view what, std::string_view with);
bool is_alphanumeric(char c);
// Whether the text is ASCII without spaces and control characters.
bool is_visible_ascii(std::string_view text);
// Returns the last `count` lines without a trailing newline.
std::string last_lines(std::string_view text, std::size_t count);
// Replaces control characters other than newline and tab, and characters that change the text
// direction, so that foreign text cannot control a terminal. Removes invalid UTF-8.
std::string printable(std::string_view text);
// Like printable(), but with newlines and tabs replaced by spaces.
std::string one_line(std::string_view text);
// Like one_line(), in double quotes, and truncated if it is long.
std::string in_quotes(std::string_view text);

// Returns the candidate closest to `word` if it differs by few edits, for "did you mean".
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace trimtab
