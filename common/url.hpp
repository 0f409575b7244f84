// http and https URLs in their parts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace trimtab::http {

struct Url {
  bool tls = false;
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 0;
  std::string target;  // path and query, percent-encoded as it came

  friend bool operator==(const Url&, const Url&) = default;
};

// Errc::invalid where the text is no http(s) URL, or has a user or password in it; the error's text
// does not quote it, for that reason.
Result<Url> parse_url(std::string_view text);

// Whether an IPv4 or IPv6 address (without brackets) rather than a name.
bool is_ip_address(const std::string& host);

// Whether "localhost" or an address of this host's loopback (IPv6 without brackets).
bool is_loopback_host(const std::string& host);

}  // namespace trimtab::http
