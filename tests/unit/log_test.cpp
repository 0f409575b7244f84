#include "common/log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <regex>
#include <string>

namespace trimtab {
namespace {

// What the program writes to standard error where the journal does, or does not, read it.
std::string logged(bool journal, std::string_view level) {
  testing::internal::CaptureStderr();
  struct stat info {};
  ::fstat(2, &info);
  const auto stream = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  ::setenv("JOURNAL_STREAM", journal ? stream.c_str() : "1:1", 1);
  EXPECT_TRUE(set_up_log(level));
  spdlog::debug("quiet");
  spdlog::info("two\nlines \x1b[31m");
  spdlog::error("bad");
  ::unsetenv("JOURNAL_STREAM");
  return testing::internal::GetCapturedStderr();
}

TEST(Log, PrefixesPrioritiesForTheJournal) {
  EXPECT_EQ(logged(true, "info"), "<6>two | lines ?[31m\n<3>bad\n");
  EXPECT_EQ(logged(true, "debug"), "<7>quiet\n<6>two | lines ?[31m\n<3>bad\n");
}

TEST(Log, TellsTimeAndLevelElsewhere) {
  const std::string text = logged(false, "error");
  EXPECT_TRUE(std::regex_match(text, std::regex(R"(\d{4}-\d\d-\d\dT[\d:.]+Z error bad\n)")))
      << text;
  EXPECT_EQ(logged(false, "off"), "");
}

TEST(Log, RefusesUnknownLevels) {
  EXPECT_EQ(set_up_log("loud").error().code, Errc::invalid);
}

}  // namespace
}  // namespace trimtab
