// Compose files between YAML and values: nothing changes its type or a byte on the way.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "agent/compose/compose_yaml.hpp"

namespace trimtab {
namespace {

struct Row {
  const char* yaml;
  const char* json;
};

void expect_values(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const Result<Json> value = parse_yaml(row.yaml);
    ASSERT_TRUE(value) << row.yaml << ": " << value.error().text();
    EXPECT_EQ(dump_json(*value), row.json) << row.yaml;
  }
}

TEST(ComposeYaml, ScalarsKeepTheirTypes) {
  expect_values({
      {"a: \"1\"", R"({"a":"1"})"},
      {"a: '1'", R"({"a":"1"})"},
      {"a: 1", R"({"a":1})"},
      {"a: -7", R"({"a":-7})"},
      {"a: +7", R"({"a":7})"},
      {"a: 0", R"({"a":0})"},
      {"a: 9223372036854775807", R"({"a":9223372036854775807})"},
      {"a: -9223372036854775808", R"({"a":-9223372036854775808})"},
      {"a: -9223372036854775809", R"({"a":"-9223372036854775809"})"},
      {"a: 18446744073709551615", R"({"a":18446744073709551615})"},
      {"a: 12345678901234567890123", R"({"a":"12345678901234567890123"})"},
      {"a: 0644", R"({"a":420})"},
      {"a: '0644'", R"({"a":"0644"})"},
      {"a: 1.5", R"({"a":1.5})"},
      {"a: -0.25", R"({"a":-0.25})"},
      {"a: 1.0e+30", R"({"a":1e+30})"},
      {"a: yes", R"({"a":true})"},
      {"a: No", R"({"a":false})"},
      {"a: on", R"({"a":true})"},
      {"a: OFF", R"({"a":false})"},
      {"a: 'yes'", R"({"a":"yes"})"},
      {"a: \"no\"", R"({"a":"no"})"},
      {"a: y", R"({"a":"y"})"},
      {"a: oN", R"({"a":"oN"})"},
      {"a: null", R"({"a":null})"},
      {"a: ~", R"({"a":null})"},
      {"a:", R"({"a":null})"},
      {"a: ''", R"({"a":""})"},
      {"a: 'null'", R"({"a":"null"})"},
      {"a: !!str 12", R"({"a":"12"})"},
      {"a: |\n  1\n", R"({"a":"1\n"})"},
  });
}

// What Compose 1 prints without quotes, because for its reader it is no number.
TEST(ComposeYaml, WordsThatOnlyLookLikeNumbersStayWords) {
  for (const char* word :
       {"08",         "-08", "0899", "1e5",   "1.5e3", "1.2.3", "12:30",     "1_000",    "0x1F",
        "2024-01-01", "1,5", "1-2",  "--1",   "+-5",   "1 2",   ".5x",       "+",        ".",
        "1.x",        "1e",  "1.0e", "1.0e+", "16g",   "0o17",  "127.0.0.1", "8000-8010"}) {
    const Result<Json> value = parse_yaml("a: " + std::string(word));
    ASSERT_TRUE(value) << word;
    EXPECT_EQ((*value)["a"], Json(word)) << word;
  }
}

TEST(ComposeYaml, KeysAreWords) {
  expect_values({
      {"1: a\n\"2\": b\nyes: c\n0644: d", R"({"1":"a","2":"b","yes":"c","0644":"d"})"},
      {"a: {b: [1, '1']}", R"({"a":{"b":[1,"1"]}})"},
      {"{\"a\": {\"b\": [true, null]}}", R"({"a":{"b":[true,null]}})"},
  });
}

TEST(ComposeYaml, TextKeepsEveryCharacter) {
  expect_values({
      {"a: pa$$word", R"({"a":"pa$$word"})"},
      {"a: $${HOME}/x", R"({"a":"$${HOME}/x"})"},
      {"a: grün 😀", R"({"a":"grün 😀"})"},
      {"a: |\n  one\n    two\n\n  three", R"({"a":"one\n  two\n\nthree"})"},
      {"a: >-\n  one\n  two", R"({"a":"one two"})"},
      {"a: \"tab\\tbell\\x07\"", R"({"a":"tab\tbell\u0007"})"},
      // Compose 1 folds long lines and writes these escapes.
      {"a: 'one\n  two # three'", R"({"a":"one two # three"})"},
      {R"(a: "x\L\x7Fy")", "{\"a\":\"x\xE2\x80\xA8\x7Fy\"}"},
      {"a: it's \"q\"", R"({"a":"it's \"q\""})"},
  });
}

TEST(ComposeYaml, AnchorsAndMergeKeysAreResolved) {
  expect_values({
      {"x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n", R"({"x":{"a":1,"b":2},"y":{"b":3,"a":1}})"},
      {"x: &x {a: 1}\nz: &z {a: 2, c: 3}\ny: {<<: [*x, *z]}\n",
       R"({"x":{"a":1},"z":{"a":2,"c":3},"y":{"a":1,"c":3}})"},
      {"x: &x {a: 1}\ny: &y {<<: *x, b: 2}\nz: {<<: *y, c: 3}\n",
       R"({"x":{"a":1},"y":{"b":2,"a":1},"z":{"c":3,"b":2,"a":1}})"},
      {"a: {'<<': b}", R"({"a":{"<<":"b"}})"},
      {"a: &v word\nb: *v", R"({"a":"word","b":"word"})"},
  });
}

TEST(ComposeYaml, WhatIsNoComposeFileIsRefusedWithAReason) {
  struct Bad {
    std::string yaml;
    const char* why;
  };
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  std::string laughs = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int n = 0; n < 10; ++n) laughs += (n == 0 ? "" : ", ") + below;
    laughs += "]\n";
  }
  std::string many = "a: [";
  for (int i = 0; i < 100'001; ++i) many += "1,";
  many += "1]";
  for (const Bad& bad : {
           Bad{"a: [1", "line 1, column 1: "},
           Bad{"services:\n\tweb: {}", "line 2, column 5: "},
           Bad{"services:\n  web:\n    image: a\n   ports: []\n", "line 4, column 4: "},
           Bad{"a: *nowhere", "line 1, column 4: "},
           Bad{"\xbd: 1\n\xef\xbd: 2", "it is not UTF-8"},
           Bad{deep, "it nests deeper than 64 levels"},
           Bad{std::string(100'000, '['), ""},
           Bad{"a: &a\n  b: *a", "it nests deeper than 64 levels"},
           Bad{laughs, "it has more than 100 000 values"},
           Bad{many, "it has more than 100 000 values"},
           Bad{"? [a, b]\n: c", "a key is not a plain word"},
           Bad{"a: {<<: word}", "a merge key (<<) names something that is no map"},
       }) {
    const Result<Json> value = parse_yaml(bad.yaml);
    ASSERT_FALSE(value) << bad.yaml.substr(0, 60);
    EXPECT_EQ(value.error().code, Errc::invalid);
    EXPECT_EQ(value.error().message.rfind(bad.why, 0), 0U) << value.error().message;
  }
}

TEST(ComposeYaml, EmptyFilesHaveNoValue) {
  for (const char* text : {"", "\n", "# nothing\n", "---\n"}) {
    const Result<Json> value = parse_yaml(text);
    ASSERT_TRUE(value) << text;
    EXPECT_TRUE(value->is_null()) << text;
  }
}

TEST(ComposeYaml, WritesBlocksThatPeopleCanRead) {
  const Json model = parse_json(R"({"services": {"web": {
      "image": "nginx@sha256:1", "command": ["sh", "-c", "echo $$HOME"], "ports": ["80:80"],
      "environment": {"ONE": "1", "TWO": 2, "NONE": null, "1": "yes"}, "labels": {}}}})")
                         .value();
  EXPECT_EQ(emit_yaml(model), R"(services:
  web:
    image: nginx@sha256:1
    command:
      - sh
      - "-c"
      - "echo $$HOME"
    ports:
      - "80:80"
    environment:
      ONE: "1"
      TWO: 2
      NONE: null
      "1": "yes"
    labels: {}
)");
}

// A reader of YAML 1.1 takes some characters for line breaks and refuses others.
TEST(ComposeYaml, WritesNothingThatAnotherReaderMisunderstands) {
  struct Case {
    Json value;
    const char* yaml;
  };
  for (const Case& row : {
           Case{"a\xC2\x85"
                "b",
                "\"a\\x85b\"\n"},
           Case{"\xE2\x80\xA8", "\"\\u2028\"\n"},
           Case{"\xE2\x80\xA9", "\"\\u2029\"\n"},
           Case{"\xEF\xBB\xBFx", "\"\\ufeffx\"\n"},
           Case{"\x7F", "\"\\x7f\"\n"},
           Case{std::string("\0\x1b", 2), "\"\\u0000\\u001b\"\n"},
           Case{"grün 😀", "\"grün 😀\"\n"},
           Case{1e30, "1.0e+30\n"},
           Case{1.5e-7, "1.5e-07\n"},
           Case{2.0, "2.0\n"},
           Case{"NO", "\"NO\"\n"},
           Case{"n", "\"n\"\n"},
           Case{"Null", "\"Null\"\n"},
           Case{"~", "\"~\"\n"},
           Case{"a:", "\"a:\"\n"},
           Case{"a: b", "\"a: b\"\n"},
           Case{"a:b", "a:b\n"},
           Case{"/srv/shop", "/srv/shop\n"},
           Case{"0644", "\"0644\"\n"},
           Case{".5", "\".5\"\n"},
           Case{".inf", "\".inf\"\n"},
           Case{"=", "\"=\"\n"},
           Case{"<<", "\"<<\"\n"},
           Case{"- a", "\"- a\"\n"},
           Case{"#a", "\"#a\"\n"},
           Case{"@a", "\"@a\"\n"},
           Case{"", "\"\"\n"},
           Case{" a", "\" a\"\n"},
           Case{nullptr, "null\n"},
           Case{Json::array(), "[]\n"},
           Case{Json::object(), "{}\n"},
       }) {
    EXPECT_EQ(emit_yaml(row.value), row.yaml);
  }
}

// Readers look for the colon of a key in its first 1,024 characters alone.
TEST(ComposeYaml, LongKeysAreReadAsTheSame) {
  for (const std::size_t length : {1000U, 1022U, 1023U, 1024U, 1025U, 3000U}) {
    for (const char letter : {'x', ' ', '\x01'}) {
      const std::string key(length, letter);
      for (const Json& value : {Json({{key, "1"}, {"b", 2}}), Json({{key, {{key, {1, 2}}}}})}) {
        const Result<Json> back = parse_yaml(emit_yaml(value));
        ASSERT_TRUE(back) << length << " of " << int(letter) << ": " << back.error().text();
        EXPECT_EQ(*back, value) << length << " of " << int(letter);
      }
    }
  }
}

// ---- Whatever is written is read as the same ------------------------------------------------

class Generator {
 public:
  explicit Generator(unsigned seed) : engine_(seed) {}

  Json value(int depth) {
    switch (below(depth > 0 ? 9 : 7)) {
      case 0:
        return nullptr;
      case 1:
        return below(2) == 0;
      case 2:
        return integer();
      case 3:
        return real();
      case 7: {
        Json list = Json::array();
        for (int n = below(5); n > 0; --n) list.push_back(value(depth - 1));
        return list;
      }
      case 8: {
        Json map = Json::object();
        for (int n = below(5); n > 0; --n) map[text()] = value(depth - 1);
        return map;
      }
      default:
        return text();
    }
  }

 private:
  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(engine_); }

  Json integer() {
    switch (below(4)) {
      case 0:
        return std::numeric_limits<std::int64_t>::min();
      case 1:
        return std::numeric_limits<std::uint64_t>::max();
      case 2:
        return below(2000) - 1000;
      default:
        return std::uniform_int_distribution<std::int64_t>()(engine_);
    }
  }

  Json real() {
    const double digits = below(100'000) - 50'000;
    return digits * std::pow(10.0, below(80) - 40);
  }

  std::string text() {
    static const std::vector<std::string> words{"yes",
                                                "No",
                                                "on",
                                                "null",
                                                "~",
                                                "",
                                                "y",
                                                "TRUE",
                                                "08",
                                                "0644",
                                                "1e5",
                                                "1.5e3",
                                                ".5",
                                                "-",
                                                "- a",
                                                "a: b",
                                                "a:",
                                                "#c",
                                                "a #c",
                                                "&a",
                                                "*a",
                                                "!x",
                                                "%y",
                                                "@z",
                                                "`",
                                                "'",
                                                "\"",
                                                "\\",
                                                "{",
                                                "[",
                                                "]",
                                                "}",
                                                ",",
                                                "?",
                                                "? a",
                                                "|",
                                                ">",
                                                "<<",
                                                "=",
                                                "$$",
                                                "$${X:-y}",
                                                "pa$$wo'rd\"\\",
                                                "line\nline",
                                                "\n",
                                                "\ttab",
                                                " lead",
                                                "trail ",
                                                "\r\n",
                                                "ünï",
                                                "😀",
                                                "\xC2\x85",
                                                "\xE2\x80\xA8",
                                                "\xEF\xBB\xBF",
                                                "\x7F",
                                                "\x1b[31m",
                                                "---",
                                                "...",
                                                "0x1F",
                                                "12:30",
                                                "2024-01-01",
                                                "1_000",
                                                "+5",
                                                "-0",
                                                "/srv/shop",
                                                "acme/web@sha256:1",
                                                "com.example.label"};
    if (below(3) > 0) return words[static_cast<std::size_t>(below(static_cast<int>(words.size())))];
    std::string made;
    for (int n = below(6); n > 0; --n) {
      made += words[static_cast<std::size_t>(below(static_cast<int>(words.size())))];
    }
    return made + std::string(static_cast<std::size_t>(below(100)), 'x');
  }

  std::mt19937 engine_;
};

TEST(ComposeYaml, WhateverIsWrittenIsReadAsTheSame) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Generator generator(seed);
    const Json value = generator.value(5);
    const std::string yaml = emit_yaml(value);
    const Result<Json> back = parse_yaml(yaml);
    ASSERT_TRUE(back) << "seed " << seed << ": " << back.error().text() << "\n" << yaml;
    ASSERT_EQ(dump_json(*back), dump_json(value)) << "seed " << seed << "\n" << yaml;
  }
}

TEST(ComposeYaml, ServicesOfOtherProfilesAreDropped) {
  const auto left = [](const std::vector<std::string>& profiles) {
    auto model = parse_json(R"({"services": {"web": {}, "none": {"profiles": []},
        "mail": {"profiles": ["dev"]}, "jobs": {"profiles": ["dev", "batch"]}}})");
    drop_disabled_services(*model, profiles);
    std::vector<std::string> names;
    for (const auto& item : (*model)["services"].items()) names.push_back(item.key());
    return names;
  };
  EXPECT_EQ(left({}), (std::vector<std::string>{"web", "none"}));
  EXPECT_EQ(left({"batch"}), (std::vector<std::string>{"web", "none", "jobs"}));
  EXPECT_EQ(left({"x", "dev"}), (std::vector<std::string>{"web", "none", "mail", "jobs"}));
}

}  // namespace
}  // namespace trimtab
