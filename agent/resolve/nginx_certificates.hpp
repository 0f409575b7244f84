// Finds the certificates that an nginx reads according to its configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/model/service.hpp"

namespace trimtab {

// A certificate, its key (paths inside the container) and the names of the servers that use it.
struct ServerCertificate {
  std::string certificate;
  std::string key;
  std::vector<std::string> names;

  friend bool operator==(const ServerCertificate&, const ServerCertificate&) = default;
};

// Returns the pairs of ssl_certificate and ssl_certificate_key in one configuration file, without
// duplicates. Skips paths with variables, which are only known per connection, and relative ones.
// Tolerates syntax errors. Source: nginx's ngx_http_ssl_module.
std::vector<ServerCertificate> server_certificates(std::string_view configuration);

// Returns the host path of a path in the container; "" if no bind mount covers it.
std::string host_path(const std::vector<Mount>& mounts, const std::string& path);

}  // namespace trimtab
