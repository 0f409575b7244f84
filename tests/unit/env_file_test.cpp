// Env files as Compose 2 reads them: https://docs.docker.com/compose/environment-variables/
#include <gtest/gtest.h>

#include "agent/compose/env_file.hpp"

namespace trimtab {
namespace {

TEST(EnvFile, Entries) {
  struct Row {
    std::string text;
    int line;
    std::string name;
    std::string value;
    bool closed = true;
  };
  for (const Row& row : {
           Row{"A=1\n", 1, "A", "1"},
           Row{"# a comment\n\n export A = x y # why\n", 3, "A", "x y"},
           Row{"A='x # y'\n", 1, "A", "x # y"},
           Row{"A=\"one\ntwo\"\n", 1, "A", "one\ntwo"},
           Row{R"(A="a\"b")", 1, "A", R"(a\"b)"},
           Row{"A=\"one\nB=2\n", 1, "A", "one\nB=2\n", false},
           Row{"A=\r\n", 1, "A", ""},
           Row{"only words\n", 1, "", "only words"},
           Row{"A", 1, "", "A"},
       }) {
    const std::vector<EnvEntry> entries = read_env_file(row.text);
    ASSERT_EQ(entries.size(), 1U) << row.text;
    EXPECT_EQ(entries[0].line, row.line) << row.text;
    EXPECT_EQ(entries[0].name, row.name) << row.text;
    EXPECT_EQ(entries[0].value, row.value) << row.text;
    EXPECT_EQ(entries[0].closed, row.closed) << row.text;
  }
  EXPECT_EQ(read_env_file("A=\"1\nx\" rest\nB=2").size(), 2U);
}

TEST(EnvFile, ProblemsAreToldWithoutTheValue) {
  struct Row {
    std::string text;
    const char* expected;
  };
  for (const Row& row : {
           Row{"A=1\nB='x'\nC=\"${A}\"\nD\n", ""},
           Row{"A=1\nB=\"secret\nC=2\n", "line 2: the quote before the value of B is not closed"},
           Row{"some secret words\n", "line 1: it is not KEY=value"},
           Row{"A B=secret\n", "line 1: it is not KEY=value"},
           Row{"A=se${cret\n", "line 1: the $ in the value of A begins a variable"},
           Row{"A=se${cr et}\n", "line 1: the $ in the value of A begins a variable"},
           Row{"A='se${cret'\n", ""},
       }) {
    const auto problem = problem_in_env_file(row.text);
    EXPECT_EQ(problem ? problem->what : "", row.expected) << row.text;
    if (problem) {
      EXPECT_FALSE(problem->hint.empty()) << row.text;
    }
  }
}

TEST(EnvFile, AVariableInAValueIsToldFromOneInSingleQuotes) {
  const std::string text = "A='pa$w0rd'\nB=\"pa$w0rd\"\nC=pa${other:-x}\nD=$w0rds\n";
  const auto entry = entry_that_uses(text, "w0rd");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->name, "B");
  EXPECT_EQ(entry->line, 2);
  ASSERT_TRUE(entry_that_uses(text, "other"));
  EXPECT_EQ(entry_that_uses(text, "other")->name, "C");
  EXPECT_FALSE(entry_that_uses(text, "w0r"));
}

TEST(EnvFile, VariablesAreFilledInAsComposeDoesIt) {
  const std::map<std::string, std::string> variables{{"A", "a"}, {"EMPTY", ""}};
  struct Row {
    const char* text;
    std::optional<std::string> expected;
  };
  for (const Row& row : std::vector<Row>{
           {"plain", "plain"},
           {"$A-${A}-$NONE", "a-a-"},
           {"$$A", "$A"},
           {"${EMPTY:-b}${EMPTY-b}${NONE-c}", "bc"},
           {"${A:+x}${EMPTY:+y}${EMPTY+z}", "xz"},
           {"${NONE:-${A}/d}", "a/d"},
           {"${A:?x}", "a"},
           {"${NONE:?x}", std::nullopt},
           {"${A", std::nullopt},
           {"$", std::nullopt},
           {"${A!x}", std::nullopt},
           {"${}", std::nullopt},
       }) {
    EXPECT_EQ(interpolate(row.text, variables), row.expected) << row.text;
  }
}

}  // namespace
}  // namespace trimtab
