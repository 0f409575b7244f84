// Words and figures as people write and read them.
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
// RFC 3339 in UTC with milliseconds: 2026-11-23T00:07:23.123Z
std::string format_time(WallTime time);
std::optional<WallTime> parse_time(std::string_view text);

// "30s", "1h30m", "500ms", "2d"; a bare number other than 0 is refused, for it has no unit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// The reverse, exact: "1h30m".
std::string format_duration(std::chrono::milliseconds duration);
// For reading: "12 s", "6.2 s", "2 h", "9 days".
std::string human_duration(std::chrono::milliseconds duration);

// "512MiB", "10G", "1.5 GB", "4096": bytes. K, M, G, T are powers of 1024 with "i" or alone, of
// 1000 with B (KB, MB …).
std::optional<std::uint64_t> parse_size(std::string_view text);
// For reading: "38 MB", "4.1 GB" (powers of 1000).
std::string human_size(std::uint64_t bytes);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
// Of ASCII letters alone, whatever the locale.
std::string lower_case(std::string_view text);
std::string replace_all(std::string text, std::string_view what, std::string_view with);
bool is_alphanumeric(char c);
// Whether it holds ASCII alone, and neither spaces nor control characters.
bool is_visible_ascii(std::string_view text);
// The last `count` lines, without a trailing newline.
std::string last_lines(std::string_view text, std::size_t count);
// Replaces control characters other than newline and tab, and those that turn the direction of
// text, so that foreign text cannot drive a terminal; cuts invalid UTF-8.
std::string printable(std::string_view text);
// The same, with spaces for newlines and tabs.
std::string one_line(std::string_view text);
// The same, in double quotes, and no more than its beginning where it is long.
std::string in_quotes(std::string_view text);

// The candidate that differs from `word` by few edits, if one does: for "did you mean".
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace trimtab
