#include "common/proxy.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "common/hash.hpp"
#include "common/retry_after.hpp"

namespace trimtab::http {
namespace {

using namespace std::chrono_literals;

TEST(Proxy, IsReadAsPeopleWriteIt) {
  struct Row {
    const char* text;
    Proxy proxy;
  };
  for (const Row& row : {
           Row{"proxy", {"proxy", 80, ""}},
           Row{"proxy:3128", {"proxy", 3128, ""}},
           Row{"http://proxy.example.org:3128/", {"proxy.example.org", 3128, ""}},
           Row{"HTTP://10.0.0.1:8080", {"10.0.0.1", 8080, ""}},
           Row{"http://[2001:db8::1]:3128", {"2001:db8::1", 3128, ""}},
           Row{"http://ana:p%40ss%3Aword@proxy:1", {"proxy", 1, "ana:p@ss:word"}},
           Row{"ana@proxy:1", {"proxy", 1, "ana"}},
       }) {
    const auto proxy = parse_proxy(row.text);
    ASSERT_TRUE(proxy) << row.text;
    EXPECT_EQ(*proxy, row.proxy) << row.text;
  }
  for (const char* text : {"", "http://", "socks5://proxy:1080", "https://proxy:443", "proxy:0",
                           "proxy:99999", "a b", "http://x:%zz@proxy", "http://secret@"}) {
    const auto proxy = parse_proxy(text);
    ASSERT_FALSE(proxy) << text;
    EXPECT_EQ(proxy.error().code, Errc::invalid);
    EXPECT_EQ(proxy.error().text().find("secret"), std::string::npos);
  }
}

TEST(Proxy, IsTakenForHostsThatAreNotExcepted) {
  Proxies proxies;
  proxies.http = "plain:1";
  proxies.https = "http://secure:2";
  proxies.except = {"example.org", ".internal", "10.0.0.5", "[2001:db8::5]", "reg.local:5000"};
  struct Row {
    bool tls;
    const char* host;
    const char* proxy;
  };
  for (const Row& row : {
           Row{false, "ghcr.io", "plain"},
           Row{true, "ghcr.io", "secure"},
           Row{true, "example.org", ""},
           Row{true, "Registry.Example.ORG", ""},
           Row{true, "notexample.org", "secure"},
           Row{true, "a.internal", ""},
           Row{true, "internal", ""},
           Row{true, "10.0.0.5", ""},
           Row{true, "110.0.0.5", "secure"},
           Row{true, "2001:db8::5", ""},
           Row{true, "reg.local", ""},
           Row{true, "localhost", ""},
           Row{true, "127.0.0.1", ""},
           Row{true, "::1", ""},
       }) {
    const auto proxy = proxy_for(proxies, row.tls, row.host);
    ASSERT_TRUE(proxy);
    EXPECT_EQ(proxy->host, row.proxy) << row.host;
  }
  proxies.except = {"*"};
  EXPECT_EQ(proxy_for(proxies, true, "ghcr.io")->host, "");
  EXPECT_EQ(proxy_for(Proxies{}, true, "ghcr.io")->host, "");
  proxies = {"", "socks5://secret@x", {}};
  const auto unusable = proxy_for(proxies, true, "ghcr.io");
  ASSERT_FALSE(unusable);
  EXPECT_NE(unusable.error().message.find("the proxy for https"), std::string::npos);
}

class ProxyEnvironment : public testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }

 private:
  static void clear() {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",
                             "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
      ::unsetenv(name);
    }
  }
};

TEST_F(ProxyEnvironment, IsReadAsCurlDoes) {
  EXPECT_EQ(proxies_from_environment(), Proxies{});
  // Whoever sends a header "Proxy:" to a CGI program sets this one.
  ::setenv("HTTP_PROXY", "evil:1", 1);
  EXPECT_EQ(proxies_from_environment(), Proxies{});
  ::setenv("ALL_PROXY", "all:1", 1);
  ::setenv("HTTPS_PROXY", "upper:1", 1);
  ::setenv("NO_PROXY", " a.org , ,b.org", 1);
  EXPECT_EQ(proxies_from_environment(), (Proxies{"all:1", "upper:1", {"a.org", "b.org"}}));
  ::setenv("https_proxy", "lower:1", 1);
  ::setenv("http_proxy", "plain:1", 1);
  EXPECT_EQ(proxies_from_environment(), (Proxies{"plain:1", "lower:1", {"a.org", "b.org"}}));
}

TEST_F(ProxyEnvironment, IsHandedToChildrenWithThisHostExcepted) {
  EXPECT_TRUE(proxy_variables(Proxies{}).empty());
  EXPECT_EQ(proxy_variables(Proxies{"", "p:1", {"a.org"}}),
            (std::map<std::string, std::string>{{"https_proxy", "p:1"},
                                                {"no_proxy", "localhost,127.0.0.1,::1,a.org"}}));
}

TEST(RetryAfter, IsSecondsOrADate) {
  const auto now = *parse_time("2026-10-21T07:28:00.000Z");
  struct Row {
    const char* header;
    std::chrono::seconds wait;
  };
  for (const Row& row : {
           Row{"", 0s},
           Row{"7", 7s},
           Row{" 120 ", 120s},
           Row{"0", 0s},
           Row{"-5", 0s},
           Row{"99999999999999", 3600s},
           Row{"7.5", 0s},
           Row{"soon", 0s},
           Row{"Wed, 21 Oct 2026 07:30:00 GMT", 120s},
           Row{"Wed, 21 Oct 2026 07:00:00 GMT", 0s},
           Row{"Wed, 21 Oct 2026 07:30:00 CET", 0s},
       }) {
    EXPECT_EQ(retry_after(row.header, now), row.wait) << row.header;
  }
}

}  // namespace
}  // namespace trimtab::http
