// X.509 certificates in PEM files.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/text.hpp"

namespace trimtab {

struct Certificate {
  WallTime expires_at;
  bool self_signed = false;        // its issuer equals its subject
  std::vector<std::string> names;  // host names for which it is valid

  friend bool operator==(const Certificate&, const Certificate&) = default;
};

// Parses the first certificate of the text, which is the server's own. Errc::invalid.
Result<Certificate> parse_certificate(std::string_view pem);

struct CertificatePair {
  std::string certificate;  // PEM
  std::string key;          // PEM, PKCS #8, unencrypted
};

// Creates a P-256 key and a certificate that it signs itself, valid from now on. `names` must not
// be empty. Errc::failed.
Result<CertificatePair> make_self_signed(const std::vector<std::string>& names,
                                         std::chrono::hours validity);

}  // namespace trimtab
