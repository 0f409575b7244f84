#include "common/url.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trimtab::http {
namespace {

TEST(Url, IsReadIntoItsParts) {
  const struct {
    std::string text;
    Url expected;
  } rows[] = {
      {"https://auth.docker.io/token", {true, "auth.docker.io", 443, "/token"}},
      {"http://127.0.0.1/healthz", {false, "127.0.0.1", 80, "/healthz"}},
      {"http://localhost:8080", {false, "localhost", 8080, "/"}},
      {"https://a.b:65535?x=1&y=%20#part", {true, "a.b", 65535, "/?x=1&y=%20"}},
      {"https://[::1]:5000/v2/", {true, "::1", 5000, "/v2/"}},
      {"http://[fe80::1]", {false, "fe80::1", 80, "/"}},
      {"https://my_host/a@b:c", {true, "my_host", 443, "/a@b:c"}},
  };
  for (const auto& row : rows) {
    const auto url = parse_url(row.text);
    ASSERT_TRUE(url) << row.text;
    EXPECT_EQ(*url, row.expected) << row.text;
  }
}

TEST(Url, RefusesWhatIsNoneAndDoesNotQuoteIt) {
  const std::vector<std::string> rows = {
      "",
      "https://",
      "https:///path",
      "ftp://host/",
      "host/path",
      "https://user:secret@host/",
      "https://host:/",
      "https://host:0/",
      "https://host:65536/",
      "https://host:80x/",
      "https://ho st/",
      "https://host/a b",
      "https://host/\r\nX: y",
      "https://[::1/",
      "https://[]/",
      "https://[::1]x/",
      "https://h[::1]/",
      "https://h%41st/",
      "https://a,b/",
      "//host/",
      "/path",
      "https://h\xc3\xb6st/",
  };
  for (const auto& text : rows) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Errc::invalid);
    EXPECT_EQ(url.error().message.find("secret"), std::string::npos);
  }
}

TEST(Url, ResolvesWhatAnAnswerPointsTo) {
  const Url base{true, "registry.example", 5000, "/v2/app/manifests/1?x=y"};
  const struct {
    std::string reference;
    Url expected;
  } rows[] = {
      {"https://cdn.example/a?b", {true, "cdn.example", 443, "/a?b"}},
      {"http://[::1]:80/a", {false, "::1", 80, "/a"}},
      {"//cdn.example", {true, "cdn.example", 443, "/"}},
      {"/moved", {true, "registry.example", 5000, "/moved"}},
      {"/a?b#c", {true, "registry.example", 5000, "/a?b"}},
  };
  for (const auto& row : rows) {
    const auto url = resolve_reference(base, row.reference);
    ASSERT_TRUE(url) << row.reference;
    EXPECT_EQ(*url, row.expected) << row.reference;
  }
  for (const char* reference : {"ftp://host/a", "https://user@host/", "/a b", "http:?",
                                "http:", "a:b", "http://:80/", "", "a", "../a", "?a"}) {
    EXPECT_FALSE(resolve_reference(base, reference)) << reference;
  }
}

TEST(Url, ReadsTheTargetOfARequest) {
  const auto target =
      parse_target("/v1//stacks/a%2Fb+c/logs?service=web&service=a+b%26&x", Plus::is_space);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, (std::vector<std::string>{"v1", "stacks", "a/b+c", "logs"}));
  const std::vector<std::pair<std::string, std::string>> query{
      {"service", "web"}, {"service", "a b&"}, {"x", ""}};
  EXPECT_EQ(target->query, query);
  EXPECT_EQ(parse_target("/?token=a+b", Plus::is_plus)->query.front().second, "a+b");
  EXPECT_TRUE(parse_target("/", Plus::is_plus)->path.empty());
  for (const char* malformed : {"", "v1", "/a?b=%zz", "/a b", "*", "http://host/a"}) {
    EXPECT_FALSE(parse_target(malformed, Plus::is_plus)) << malformed;
  }
}

TEST(Url, PercentEncodesAllButUnreserved) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("a b/c?\xc3\xa9"), "a%20b%2Fc%3F%C3%A9");
  EXPECT_EQ(percent_encode(std::string_view("\0%", 2)), "%00%25");
}

TEST(Url, PercentDecodes) {
  EXPECT_EQ(percent_decode("a%20b+%c3%A9"), "a b+\xc3\xa9");
  for (const char* malformed : {"%", "%2", "%zz", "a%+1"}) {
    EXPECT_EQ(percent_decode(malformed), std::nullopt) << malformed;
  }
}

TEST(Url, KnowsTheLoopback) {
  for (const char* host : {"localhost", "127.0.0.1", "127.255.0.3", "::1"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const char* host : {"", "128.0.0.1", "0.0.0.0", "::", "127.0.0.1.example.com", "127.1",
                           "localhost.example.com"})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

}  // namespace
}  // namespace trimtab::http
