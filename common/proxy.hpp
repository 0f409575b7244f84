// Decides which requests use a proxy. Environment variables mean what they mean to curl and git:
// http_proxy only in lower case (a CGI client could set HTTP_PROXY), the others in both cases.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab::http {

// A proxy that is itself contacted over plain HTTP.
struct Proxy {
  std::string host;  // IPv6 without brackets; empty: no proxy
  std::uint16_t port = 0;
  std::string credentials;  // "user:password", never shown; empty: none

  friend bool operator==(const Proxy&, const Proxy&) = default;
};

struct Proxies {
  std::string http;  // for http:// URLs: "http://[USER:PASSWORD@]HOST[:PORT]"; empty: none
  std::string https;
  // Hosts contacted directly: a name with everything below it, ".example.com", an address, "*" for
  // all.
  std::vector<std::string> except;

  friend bool operator==(const Proxies&, const Proxies&) = default;
};

// Parses HOST, HOST:PORT or an http:// URL, optionally with user and password. The default port is
// 80 (not curl's 1080). Errc::invalid never quotes the text, which may contain a password.
Result<Proxy> parse_proxy(std::string_view text);

// Returns the proxy for a request to this host (IPv6 without brackets); never one for this host's
// loopback.
Result<Proxy> proxy_for(const Proxies& proxies, bool tls, std::string_view host);

// Returns http_proxy, https_proxy, all_proxy and no_proxy of this process.
Proxies proxies_from_environment();

// Returns the variables that configure a child such as git in the same way.
std::map<std::string, std::string> proxy_variables(const Proxies& proxies);

}  // namespace trimtab::http
