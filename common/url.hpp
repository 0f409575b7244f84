// Parses and builds URLs and their parts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.hpp"

namespace trimtab::http {

struct Url {
  bool tls = false;
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 0;
  std::string target;  // path and query, still percent-encoded

  friend bool operator==(const Url&, const Url&) = default;
};

// Errc::invalid if the text is not an http(s) URL or contains a user or password; for that reason
// the error never quotes it.
Result<Url> parse_url(std::string_view text);

// Resolves a reference, such as a Location header, relative to `base`: an absolute URL or one that
// begins with the path. Errors as for parse_url.
Result<Url> resolve_reference(const Url& base, std::string_view reference);

// Returns HOST[:PORT] without the scheme's default port; IPv6 in brackets.
std::string authority_of(bool tls, const std::string& host, std::uint16_t port);

// The decoded path and query of a request.
struct Target {
  std::vector<std::string> path;  // segments without empty ones
  std::vector<std::pair<std::string, std::string>> query;
};

enum class Plus { is_space, is_plus };  // meaning of + in a query

// nullopt if it is malformed.
std::optional<Target> parse_target(std::string_view target, Plus plus);

// Encodes everything except unreserved characters as %XX, which is correct in any part of a URL.
std::string percent_encode(std::string_view text);
// nullopt if a % is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

// Whether it is an IPv4 or IPv6 address (without brackets) rather than a name.
bool is_ip_address(const std::string& host);

// Whether it is "localhost" or a loopback address (IPv6 without brackets).
bool is_loopback_host(const std::string& host);

}  // namespace trimtab::http
