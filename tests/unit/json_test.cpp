#include "common/json.hpp"

#include <gtest/gtest.h>

namespace trimtab {
namespace {

TEST(JsonDoor, KeepsTheOrderOfMembers) {
  const auto value = parse_json(R"({"b": 1, "a": [true, null]})");
  ASSERT_TRUE(value);
  EXPECT_EQ(dump_json(*value), R"({"b":1,"a":[true,null]})");
}

TEST(JsonDoor, RefusesWhatIsNotOneValue) {
  for (const auto* const text : {"", "{", "{} {}", "nul", "[1,]", "{\"a\" 1}", "\"\xff\""}) {
    const auto value = parse_json(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, Errc::invalid);
  }
}

TEST(JsonDoor, BoundsTheDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(64)));
  EXPECT_FALSE(parse_json(nested(65)));
  const auto hostile = parse_json(std::string(1'000'000, '['));
  ASSERT_FALSE(hostile);
  EXPECT_NE(hostile.error().message.find("deeper than 64"), std::string::npos);
}

TEST(JsonDoor, ReadsMembersOfTheRightType) {
  const auto value = parse_json(R"({"s": "x", "i": 7, "b": true, "o": {"k": 1}, "a": [1, 2]})");
  ASSERT_TRUE(value);
  EXPECT_EQ(json_string(*value, "s"), "x");
  EXPECT_EQ(json_string(*value, "i", "none"), "none");
  EXPECT_EQ(json_int(*value, "i"), 7);
  EXPECT_EQ(json_int(*value, "s", -1), -1);
  EXPECT_TRUE(json_bool(*value, "b"));
  EXPECT_TRUE(json_bool(*value, "absent", true));
  EXPECT_EQ(json_int(json_object(*value, "o"), "k"), 1);
  EXPECT_TRUE(json_object(*value, "a").empty());
  EXPECT_EQ(json_array(*value, "a").size(), 2U);
  EXPECT_TRUE(json_array(*value, "o").empty());
  EXPECT_EQ(json_string(json_array(*value, "a"), "s", "not an object"), "not an object");
}

TEST(JsonDoor, ReplacesInvalidUtf8WhenWriting) {
  const Json value = {{"a", "x\xff"}};
  EXPECT_EQ(dump_json(value), "{\"a\":\"x\xef\xbf\xbd\"}");
  EXPECT_EQ(dump_json(Json{{"a", 1}}, 2), "{\n  \"a\": 1\n}");
}

}  // namespace
}  // namespace trimtab
