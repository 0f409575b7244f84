#include "common/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "common/number.hpp"

namespace trimtab {

namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
// Largest first; but "ms" before "m" and "s", as parsing requires.
constexpr std::array<Unit, 5> units = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"ms", 1}, {"m", 60'000}, {"s", 1'000}}};
constexpr std::array<Unit, 5> units_by_size = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

// Formats "6.2" below ten and "12" above; never "6.0".
std::string short_figure(double value) {
  std::array<char, 32> buffer{};
  const double tenths = std::round(value * 10);
  const bool whole = value >= 9.95 || std::fmod(tenths, 10) == 0;
  const int n = whole ? std::snprintf(buffer.data(), buffer.size(), "%.0f", value)
                      : std::snprintf(buffer.data(), buffer.size(), "%.1f", value);
  return {buffer.data(), static_cast<std::size_t>(n)};
}

// Parses a fixed number of digits and removes them; -1 if they are not all digits.
int take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return -1;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Returns the length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none;
// stores its code point in `point`.
std::size_t utf8_sequence(std::string_view text, std::uint32_t& point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    point = lead;
    return 1;
  }
  std::size_t length = 0;
  std::uint32_t smallest = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2, smallest = 0x80, point = lead & 0x1FU;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3, smallest = 0x800, point = lead & 0x0FU;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4, smallest = 0x10000, point = lead & 0x07U;
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
    point = (point << 6U) | (byte(i) & 0x3FU);
  }
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < smallest || surrogate || point > 0x10FFFF ? 0 : length;
}

// Returns the number of edits (insert, delete, replace, swap neighbours) that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({replace, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

WallTime wall_now() {
  return std::chrono::floor<milliseconds>(WallClock::now());
}

std::string format_time(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 40> buffer{};
  const int n =
      std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02ld:%02ld:%02ld.%03ldZ",
                    static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                    static_cast<unsigned>(date.day()), clock.hours().count(),
                    clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
  return {buffer.data(), static_cast<std::size_t>(n)};
}

std::optional<WallTime> parse_time(std::string_view text) {
  const int year = take_digits(text, 4);
  if (year < 0 || !take(text, '-')) return std::nullopt;
  const int month = take_digits(text, 2);
  if (month < 0 || !take(text, '-')) return std::nullopt;
  const int day = take_digits(text, 2);
  if (day < 0 || (!take(text, 'T') && !take(text, 't') && !take(text, ' '))) return std::nullopt;
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return std::nullopt;
  const int minute = take_digits(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ':')) return std::nullopt;
  const int second = take_digits(text, 2);
  if (second < 0 || second > 60) return std::nullopt;

  int milli = 0;
  if (take(text, '.')) {  // Docker writes nanoseconds
    int scale = 100;
    if (text.empty() || !is_digit(text.front())) return std::nullopt;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), scale /= 10) {
      milli += (text.front() - '0') * scale;
    }
  }

  std::chrono::minutes offset{0};
  if (!take(text, 'Z') && !take(text, 'z')) {
    const bool behind = !text.empty() && text.front() == '-';
    if (!take(text, '+') && !take(text, '-')) return std::nullopt;
    const int hours = take_digits(text, 2);
    if (hours < 0 || hours > 23 || !take(text, ':')) return std::nullopt;
    const int minutes = take_digits(text, 2);
    if (minutes < 0 || minutes > 59) return std::nullopt;
    offset = std::chrono::minutes(hours * 60 + minutes) * (behind ? -1 : 1);
  }
  if (!text.empty()) return std::nullopt;

  const auto date = std::chrono::year(year) / month / day;
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date) + std::chrono::hours(hour) +
                  std::chrono::minutes(minute) + std::chrono::seconds(second) +
                  milliseconds(milli) - offset);
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return milliseconds(0);
  if (text.empty()) return std::nullopt;
  constexpr std::int64_t longest = std::int64_t{100} * 365 * 86'400'000;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t number = 0;
    if (!is_digit(text.front())) return std::nullopt;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    const auto* const unit = std::find_if(units.begin(), units.end(),
                                          [&](const Unit& u) { return text.starts_with(u.name); });
    if (unit == units.end() || number > longest / unit->milliseconds) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += number * unit->milliseconds;
    if (total > longest) return std::nullopt;
  }
  return milliseconds(total);
}

std::string format_duration(milliseconds duration) {
  std::int64_t rest = duration.count();
  if (rest <= 0) return "0s";
  std::string out;
  for (const Unit& unit : units_by_size) {
    if (rest < unit.milliseconds) continue;
    out += std::to_string(rest / unit.milliseconds);
    out += unit.name;
    rest %= unit.milliseconds;
  }
  return out;
}

std::string human_duration(milliseconds duration) {
  const std::int64_t ms = std::max<std::int64_t>(duration.count(), 0);
  if (ms == 0) return "0 s";
  if (ms < 1'000) return fmt::format("{} ms", ms);
  if (ms < 120'000) return short_figure(static_cast<double>(ms) / 1'000) + " s";
  if (ms < 7'200'000) return fmt::format("{} min", ms / 60'000);
  if (ms < 2 * 86'400'000) return fmt::format("{} h", ms / 3'600'000);
  return fmt::format("{} days", ms / 86'400'000);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  text = trim(text);
  double number = 0;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));

  std::string unit = lower_case(trim(text));
  double factor = 1;
  if (!unit.empty() && unit != "b") {
    const auto power = std::string_view("kmgt").find(unit.front());
    if (power == std::string_view::npos) return std::nullopt;
    unit.erase(0, 1);
    if (!unit.empty() && unit != "i" && unit != "ib" && unit != "b") return std::nullopt;
    factor = std::pow(unit == "b" ? 1000.0 : 1024.0, static_cast<double>(power) + 1);
  }
  const double bytes = number * factor;
  // 2^63: far beyond any disk, and safely within the result's type.
  if (!(bytes < 9.2e18)) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(bytes));
}

std::string human_size(std::uint64_t bytes) {
  if (bytes < 1'000) return fmt::format("{} B", bytes);
  constexpr std::array<std::string_view, 5> names = {"kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes) / 1'000;
  std::size_t step = 0;
  // 999.5 would be printed as 1000.
  while (value >= 999.5 && step + 1 < names.size()) {
    value /= 1'000;
    ++step;
  }
  return fmt::format("{} {}", short_figure(value), names[step]);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) out += separator;
    out += part;
  }
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\v\f";
  const auto begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

std::string last_lines(std::string_view text, std::size_t count) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (count == 0) return {};
  for (std::size_t begin = text.size(); begin > 0; --begin) {
    if (text[begin - 1] == '\n' && --count == 0) return std::string(text.substr(begin));
  }
  return std::string(text);
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  if (what.empty()) return text;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::uint32_t point = 0;
    const std::size_t length = utf8_sequence(text, point);
    if (length == 0) {
      text.remove_prefix(1);
      continue;
    }
    const bool control =
        (point < 0x20 && point != '\n' && point != '\t') || (point >= 0x7F && point <= 0x9F);
    // Characters that change the text direction display a line in another order than it is parsed
    // in.
    const bool turns = point == 0x061C || point == 0x200E || point == 0x200F ||
                       (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
    if (control || turns) {
      out += '?';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string line = printable(text);
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return line;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t max_shown = 60;
  const bool is_cut = text.size() > max_shown;
  return "\"" + one_line(text.substr(0, max_shown)) + (is_cut ? "…\"" : "\"");
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  const std::string wanted = lower_case(word);
  // One edit per three letters still looks like a typo; more looks like another word.
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  std::optional<std::string> best;
  if (wanted.size() > 100) return best;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(wanted, lower_case(candidate));
    if (distance < best_distance && distance < candidate.size()) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace trimtab
