#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/certificate.hpp"

namespace trimtab {

// A certificate file on this host that a service presents to its clients.
struct ServerCertificateFile {
  std::string service;
  std::string certificate;         // path
  std::string key;                 // path
  std::vector<std::string> names;  // names of the servers that present it; may be empty
  bool missing = false;            // there is no pair, or only half of one that was being created
  bool may_be_made = false;        // both files are located in the stack's directory
  std::string problem;             // why `found` is unset; empty if the file is missing
  std::optional<Certificate> found;
};

}  // namespace trimtab
