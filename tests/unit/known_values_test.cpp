// Values that nobody is to read are taken out of foreign words.
#include <gtest/gtest.h>

#include <vector>

#include "common/known_values.hpp"

namespace trimtab {
namespace {

struct Row {
  const char* name;
  std::vector<std::string> values;
  std::string text;
  std::string expected;  // of hide_in
  std::string in_error;  // of hide_in_error
};

TEST(KnownValues, AreHidden) {
  const std::string secret = "s3cr3t-Va1ue-9f";
  for (const Row& row : std::vector<Row>{
           {"none", {}, "all is well", "all is well", "all is well"},
           {"whole", {secret}, "bad: " + secret + ".", "bad: ***.", "bad: ***."},
           {"inside another", {secret}, "x" + secret + "y", "x***y", "x***y"},
           {"the longer one first",
            {"password", "password-of-ana"},
            "it is password-of-ana",
            "it is ***",
            "it is ***"},
           {"short, alone or inside", {"hunt"}, "hunt hunter", "*** hunter", "*** hunter"},
           {"an address in a URL",
            {"p@ss/word1"},
            "postgres://shop:p%40ss%2Fword1@db",
            "postgres://shop:***@db",
            "postgres://shop:***@db"},
           {"quoted by Go",
            {"a\"b\\cdefgh"},
            R"(parsing "a\"b\\cdefgh": x)",
            "parsing \"***\": x",
            "parsing \"***\": x"},
           {"each line of several",
            {"first-line\nsecond-line\n"},
            "got second-line",
            "got ***",
            "got ***"},
           // Compose 2.40 cuts off what it takes for a unit, 1.29 writes it in lower case.
           {"a part of it",
            {secret},
            "parsing \"s3cr3t-Va1ue-9\": invalid",
            "parsing \"s3cr3t-Va1ue-9\": invalid",
            "parsing \"***\": invalid"},
           {"in lower case",
            {secret},
            "\"s3cr3t-va1ue-9f\" is no boolean",
            "\"s3cr3t-va1ue-9f\" is no boolean",
            "\"***\" is no boolean"},
           {"one word of several",
            {"--token abcd1234 --fast"},
            "exec: abcd1234: not found",
            "exec: abcd1234: not found",
            "exec: ***: not found"},
           {"words of a sentence stay",
            {"open for service in every house"},
            "service web is open",
            "service web is open",
            "service web is open"},
           {"ports and the like stay, but for quotes",
            {"8080", "true", "ab"},
            "Bind for 0.0.0.0:8080 failed; \"8080\", 'ab' and ab",
            "Bind for 0.0.0.0:8080 failed; \"8080\", 'ab' and ab",
            "Bind for 0.0.0.0:8080 failed; \"***\", '***' and ab"},
       }) {
    KnownValues values;
    for (const std::string& value : row.values) values.add(value);
    EXPECT_EQ(values.hide_in(row.text), row.expected) << row.name;
    EXPECT_EQ(values.hide_in_error(row.text), row.in_error) << row.name;
  }
}

TEST(KnownValues, WhatEverybodyMayReadIsShown) {
  KnownValues values;
  values.add("postgres");
  values.add("secret-words");
  values.add_public("services:\n  postgres:\n    image: postgres:16\n");
  EXPECT_EQ(values.hide_in_error("service \"postgres\" says secret-words"),
            "service \"postgres\" says ***");
}

}  // namespace
}  // namespace trimtab
