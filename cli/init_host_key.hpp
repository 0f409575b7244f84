// Decides which SSH host key to pin.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab::cli {

struct HostKey {
  std::string line;         // line for a known_hosts file
  std::string type;         // "ed25519", "ecdsa", "rsa"
  std::string fingerprint;  // "SHA256:…", in ssh's format

  friend bool operator==(const HostKey&, const HostKey&) = default;
};

// Parses the output of ssh-keyscan or lines of a known_hosts file. Returns the supported keys, the
// best type first.
std::vector<HostKey> parse_host_keys(std::string_view lines);

// The address of an SSH server. `host_and_port` is as in a URL: "git.example.com:2222".
struct HostAddress {
  std::string host;         // lower case, IPv6 without brackets
  std::string port = "22";  // as written
  // The name in a known_hosts file: "host", or "[host]:port".
  [[nodiscard]] std::string known_as() const;
};
HostAddress parse_host_address(std::string_view host_and_port);

enum class Trust {
  published,  // its host has published this key, and trimtab knows it
  given,      // its fingerprint is the one that the operator gave
  unknown,    // the operator has to compare the fingerprint
};

struct VerifiedKey {
  HostKey key;
  Trust trust = Trust::unknown;
};

// Picks the key to pin among those that a host presented. `fingerprint` is the expected one; empty:
// none. untrusted if no key matches it, or if the host has published keys and none of them is
// presented.
Result<VerifiedKey> verify_host_keys(const std::string& host, const std::vector<HostKey>& keys,
                                     const std::string& fingerprint);

}  // namespace trimtab::cli
