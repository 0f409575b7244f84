// SSH host keys: which one may be pinned.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab::cli {

struct HostKey {
  std::string line;         // of a known_hosts file
  std::string type;         // "ed25519", "ecdsa", "rsa"
  std::string fingerprint;  // "SHA256:…", as ssh shows it

  friend bool operator==(const HostKey&, const HostKey&) = default;
};

// The keys in an output of ssh-keyscan or in lines of a known_hosts file, the best type first;
// others are left out.
std::vector<HostKey> parse_host_keys(std::string_view lines);

// Where a host is asked for its keys. `host_and_port` as in a URL: "git.example.com:2222".
struct HostAddress {
  std::string host;         // in lower case, IPv6 without brackets
  std::string port = "22";  // as it was written
  // What a known_hosts file calls it: "host", or "[host]:port".
  [[nodiscard]] std::string known_as() const;
};
HostAddress parse_host_address(std::string_view host_and_port);

enum class Trust {
  published,  // the key is one that its host has published and trimtab knows
  given,      // its fingerprint is the one that the operator gave
  unknown,    // the operator has to compare it
};

struct JudgedKey {
  HostKey key;
  Trust trust = Trust::unknown;
};

// The key to pin, out of those that a host has shown. `fingerprint` is what the operator expects;
// empty: nothing in particular. untrusted where no key is the expected one, or none that a host
// with published keys has published.
Result<JudgedKey> judge_host_keys(const std::string& host, const std::vector<HostKey>& keys,
                                  const std::string& fingerprint);

}  // namespace trimtab::cli
