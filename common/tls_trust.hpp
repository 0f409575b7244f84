// Whom the client's side of TLS trusts, and what it shows of itself.
#pragma once

#include <string>
#include <vector>

namespace trimtab::http {

// Which certificates of the server are accepted, and the client's own certificate.
struct TlsTrust {
  std::vector<std::string> ca_files = {};  // PEM, trusted in addition to the system's certificates
  std::string certificate = {};            // PEM, of the client, with its `key`; "": none
  std::string key = {};
  bool takes_any = false;  // certificate of the server, also one that nobody vouches for

  friend bool operator==(const TlsTrust&, const TlsTrust&) = default;
};

}  // namespace trimtab::http
