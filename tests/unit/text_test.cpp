#include "common/text.hpp"

#include <gtest/gtest.h>

#include "common/enum_names.hpp"
#include "common/number.hpp"

namespace trimtab {
namespace {

using namespace std::chrono_literals;

TEST(Text, FormatsTimeInUtcWithMilliseconds) {
  EXPECT_EQ(format_time(WallTime(0ms)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(WallTime(1795392443123ms)), "2026-11-23T00:07:23.123Z");
}

TEST(Text, ParsesRfc3339Times) {
  const struct {
    std::string_view text;
    std::string_view same;  // "": refused
  } rows[] = {
      {"2026-11-23T00:07:23.123Z", "2026-11-23T00:07:23.123Z"},
      {"2026-11-23T00:07:23Z", "2026-11-23T00:07:23.000Z"},
      {"2026-11-23T01:07:23.5+01:00", "2026-11-23T00:07:23.500Z"},
      {"2026-11-22T19:07:23-05:00", "2026-11-23T00:07:23.000Z"},
      {"2024-02-29T23:59:59.123456789Z", "2024-02-29T23:59:59.123Z"},
      {"2023-02-29T23:59:59Z", ""},
      {"2026-11-23T24:00:00Z", ""},
      {"2026-11-23T00:07:23", ""},
      {"2026-11-23T00:07:23Zx", ""},
      {"2026-11-23T00:07:23.Z", ""},
      {"2026-11-23", ""},
      {"", ""},
  };
  for (const auto& row : rows) {
    const auto time = parse_time(row.text);
    EXPECT_EQ(time ? format_time(*time) : "", row.same) << row.text;
  }
}

TEST(Text, ParsesDurations) {
  const struct {
    std::string_view text;
    std::optional<std::chrono::milliseconds> value;
  } rows[] = {
      {"30s", 30s},    {"1h30m", 90min}, {"500ms", 500ms},
      {"2d", 48h},     {"0", 0ms},       {"0s", 0ms},
      {"30", {}},      {"", {}},         {"s", {}},
      {"-5s", {}},     {"1.5h", {}},     {"30 s", {}},
      {"3 weeks", {}}, {"1h30", {}},     {"99999999999999999999s", {}},
      {"36501d", {}},  {"36500d1s", {}},
  };
  for (const auto& row : rows) EXPECT_EQ(parse_duration(row.text), row.value) << row.text;
}

TEST(Text, FormatsDurationsExactly) {
  EXPECT_EQ(format_duration(0ms), "0s");
  EXPECT_EQ(format_duration(90min), "1h30m");
  EXPECT_EQ(format_duration(1500ms), "1s500ms");
  EXPECT_EQ(format_duration(49h), "2d1h");
  for (const auto value : {1ms, 61s + 0ms, 25h + 3ms}) {
    EXPECT_EQ(parse_duration(format_duration(value)), value);
  }
}

TEST(Text, SaysDurationsToPeople) {
  EXPECT_EQ(human_duration(0ms), "0 s");
  EXPECT_EQ(human_duration(-5s), "0 s");
  EXPECT_EQ(human_duration(350ms), "350 ms");
  EXPECT_EQ(human_duration(6200ms), "6.2 s");
  EXPECT_EQ(human_duration(6s), "6 s");
  EXPECT_EQ(human_duration(9990ms), "10 s");
  EXPECT_EQ(human_duration(12400ms), "12 s");
  EXPECT_EQ(human_duration(2min), "2 min");
  EXPECT_EQ(human_duration(2h), "2 h");
  EXPECT_EQ(human_duration(9 * 24h), "9 days");
}

TEST(Text, ParsesSizes) {
  const struct {
    std::string_view text;
    std::optional<std::uint64_t> value;
  } rows[] = {
      {"4096", 4096},
      {"0", 0},
      {"10b", 10},
      {"512MiB", 512ULL << 20},
      {"512m", 512ULL << 20},
      {"10G", 10ULL << 30},
      {"1.5 GB", 1'500'000'000},
      {"2kb", 2000},
      {"1Ti", 1ULL << 40},
      {"", {}},
      {"MB", {}},
      {"-1", {}},
      {"1X", {}},
      {"1 MBs", {}},
      {"1e30", {}},
      {"99999999999T", {}},
  };
  for (const auto& row : rows) EXPECT_EQ(parse_size(row.text), row.value) << row.text;
}

TEST(Text, SaysSizesToPeople) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(999), "999 B");
  EXPECT_EQ(human_size(1000), "1 kB");
  EXPECT_EQ(human_size(38'000'000), "38 MB");
  EXPECT_EQ(human_size(4'100'000'000), "4.1 GB");
  EXPECT_EQ(human_size(999'999'999), "1 GB");
}

TEST(Text, SplitsAndJoins) {
  EXPECT_EQ(split("a,b,,c", ','), (std::vector<std::string>{"a", "b", "", "c"}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
  EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(join({"a", "a"}, ","), "a,a");
  EXPECT_EQ(join({}, ", "), "");
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Text, KeepsTheLastLines) {
  EXPECT_EQ(last_lines("a\nb\nc\n", 2), "b\nc");
  EXPECT_EQ(last_lines("a\nb\nc", 3), "a\nb\nc");
  EXPECT_EQ(last_lines("a\nb\nc", 9), "a\nb\nc");
  EXPECT_EQ(last_lines("\nb\n\n", 5), "\nb");
  EXPECT_EQ(last_lines("abc", 0), "");
  EXPECT_EQ(last_lines("", 3), "");
}

TEST(Text, TakesTheStingOutOfForeignText) {
  EXPECT_EQ(printable("plain\n\ttext"), "plain\n\ttext");
  EXPECT_EQ(printable("\x1b[31mred\x07"), "?[31mred?");
  EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable("a\u202eb\u2066c\u200fd\u061c"), "a?b?c?d?");
  EXPECT_EQ(printable("a\xff\xc3"), "a");              // cut short
  EXPECT_EQ(printable("\xc0\xaf|\xed\xa0\x80"), "|");  // overlong, surrogate
  EXPECT_EQ(printable("a\xc2\x9b\x33m"), "a?3m");      // a control character in two bytes
}

TEST(Text, FindsTheNearestWord) {
  const std::vector<std::string> known = {"interval", "ref", "url", "key", "token_file"};
  EXPECT_EQ(nearest("intervall", known), "interval");
  EXPECT_EQ(nearest("Interval", known), "interval");
  EXPECT_EQ(nearest("rfe", known), "ref");
  EXPECT_EQ(nearest("tokenfile", known), "token_file");
  EXPECT_EQ(nearest("password", known), std::nullopt);
  EXPECT_EQ(nearest("x", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
}

TEST(Text, ParsesNumbersThatAreTheWholeText) {
  const struct {
    std::string_view text;
    int base;
    std::optional<int> number;
  } rows[] = {
      {"0", 10, 0},   {"42", 10, 42},   {"-7", 10, -7}, {"0644", 8, 0644}, {"ff", 16, 255},
      {"", 10, {}},   {"-", 10, {}},    {"+1", 10, {}}, {" 1", 10, {}},    {"1 ", 10, {}},
      {"1x", 10, {}}, {"0x10", 16, {}}, {"08", 8, {}},  {"1.0", 10, {}},   {"2147483648", 10, {}},
  };
  for (const auto& row : rows)
    EXPECT_EQ(parse_number<int>(row.text, row.base), row.number) << row.text;
  EXPECT_EQ(parse_number<std::uint16_t>("-1"), std::nullopt);
  EXPECT_EQ(parse_number<std::uint16_t>("65536"), std::nullopt);
}

TEST(Text, NamesOfAnEnumerationLeadBothWays) {
  enum class Fruit { apple, pear, plum };
  constexpr EnumNames<Fruit, 2> names{{{Fruit::apple, "apple"}, {Fruit::pear, "pear"}}};
  EXPECT_EQ(name_of(names, Fruit::pear), "pear");
  EXPECT_EQ(name_of(names, Fruit::plum), "");
  EXPECT_EQ(value_of(names, "apple"), Fruit::apple);
  EXPECT_EQ(value_of(names, "Apple"), std::nullopt);
}

}  // namespace
}  // namespace trimtab
