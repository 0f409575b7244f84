// Which requests go through a proxy. The variables' meaning is curl's and git's: http_proxy in
// lower case alone (HTTP_PROXY is what a CGI client could set), the others in both cases.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab::http {

// A proxy that is itself asked over plain HTTP.
struct Proxy {
  std::string host;  // IPv6 without brackets; empty: no proxy, straight to the server
  std::uint16_t port = 0;
  std::string credentials;  // "user:password", never shown; empty: none

  friend bool operator==(const Proxy&, const Proxy&) = default;
};

struct Proxies {
  std::string http;  // for http:// URLs: "http://[USER:PASSWORD@]HOST[:PORT]"; empty: none
  std::string https;
  // Hosts asked without: a name and all below it, ".example.com", an address, "*" for all.
  std::vector<std::string> except;

  friend bool operator==(const Proxies&, const Proxies&) = default;
};

// HOST, HOST:PORT or an http:// URL, with a user and a password or without; port 1080 is not
// assumed, 80 is. Errc::invalid quotes nothing, since a password may be in it.
Result<Proxy> parse_proxy(std::string_view text);

// The proxy for a request to this host (IPv6 without brackets). This host's loopback never has one.
Result<Proxy> proxy_for(const Proxies& proxies, bool tls, std::string_view host);

// http_proxy, https_proxy, all_proxy and no_proxy of this process.
Proxies proxies_from_environment();

// The variables that tell a child such as git the same.
std::map<std::string, std::string> proxy_variables(const Proxies& proxies);

}  // namespace trimtab::http
