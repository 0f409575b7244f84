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
      "https://h\xc3\xb6st/",
  };
  for (const auto& text : rows) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Errc::invalid);
    EXPECT_EQ(url.error().message.find("secret"), std::string::npos);
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
