#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/certificate.hpp"

namespace trimtab {

// A certificate that a service of the stack shows to its clients, as it lies on this host.
struct ServerCertificateFile {
  std::string service;
  std::string certificate;         // path
  std::string key;                 // path
  std::vector<std::string> names;  // of the servers that show it; may be empty
  bool missing = false;            // there is no pair, or half of one that was being made
  bool may_be_made = false;        // both files' places are in the stack's directory
  std::string problem;             // why `found` is unset, in words; empty where it is missing
  std::optional<Certificate> found;
};

}  // namespace trimtab
