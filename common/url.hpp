// URLs and their parts.
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
  std::string target;  // path and query, percent-encoded as it came

  friend bool operator==(const Url&, const Url&) = default;
};

// Errc::invalid where the text is no http(s) URL, or has a user or password in it; the error's text
// does not quote it, for that reason.
Result<Url> parse_url(std::string_view text);

// What a reference, such as a Location header, means in an answer of `base`: a whole URL, or one
// that begins with the path. As parse_url otherwise.
Result<Url> resolve_reference(const Url& base, std::string_view reference);

// HOST[:PORT], the port left out where it is the scheme's own; IPv6 in brackets.
std::string authority_of(bool tls, const std::string& host, std::uint16_t port);

// The path and query of a request, decoded.
struct Target {
  std::vector<std::string> path;  // its segments, empty ones left out
  std::vector<std::pair<std::string, std::string>> query;
};

enum class Plus { is_space, is_plus };  // in a query

// nullopt where it is none.
std::optional<Target> parse_target(std::string_view target, Plus plus);

// All but unreserved characters as %XX, which is right everywhere in a URL.
std::string percent_encode(std::string_view text);
// nullopt where a % is not followed by two digits.
std::optional<std::string> percent_decode(std::string_view text);

// Whether an IPv4 or IPv6 address (without brackets) rather than a name.
bool is_ip_address(const std::string& host);

// Whether "localhost" or an address of this host's loopback (IPv6 without brackets).
bool is_loopback_host(const std::string& host);

}  // namespace trimtab::http
