// Whom the client's side of TLS trusts, and what it shows of itself.
#pragma once

#include <string>
#include <vector>

namespace trimtab::http {

// What the certificate of a server is checked against, and what the client shows of itself.
struct TlsTrust {
  std::vector<std::string> ca_files = {};  // PEM, trusted in addition to the system's certificates
  std::string certificate = {};            // PEM, of the client, with its `key`; "": none
  std::string key = {};
  bool takes_any = false;  // certificate of the server, also one that nobody vouches for

  friend bool operator==(const TlsTrust&, const TlsTrust&) = default;
};

}  // namespace trimtab::http
