// Which certificates does an nginx read, as its configuration says?
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/model/service.hpp"

namespace trimtab {

// A certificate and its key, each a path as nginx sees it, and the names of the servers with it.
struct ServerCertificate {
  std::string certificate;
  std::string key;
  std::vector<std::string> names;

  friend bool operator==(const ServerCertificate&, const ServerCertificate&) = default;
};

// The pairs of ssl_certificate and ssl_certificate_key, each once, of one configuration file. Paths
// with variables are left out, since they are known only when somebody asks; so are those that are
// not absolute. Tolerates what is not nginx's language. Source: nginx's ngx_http_ssl_module.
std::vector<ServerCertificate> server_certificates(std::string_view configuration);

// Where a path of the container lies on the host; "" where no bind mount holds it.
std::string host_path(const std::vector<Mount>& mounts, const std::string& path);

}  // namespace trimtab
