// How the Engine reaches registries: what it takes from daemon.json and its environment.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace trimtab {

struct RegistryRoutes {
  // HOST[:PORT] that may be without TLS, or with a certificate that nobody vouches for.
  std::set<std::string> insecure = {};
  std::vector<std::string> insecure_networks = {};  // 10.0.0.0/8: the same, by address
  std::vector<std::string> mirrors = {};            // of docker.io, asked before it: URLs
  std::string http_proxy = {};
  std::string https_proxy = {};
  std::string no_proxy = {};

  // Whether a registry is insecure by its name, or by one of its addresses.
  [[nodiscard]] bool is_insecure(const std::string& host, std::uint16_t port) const;
  [[nodiscard]] bool is_insecure_address(const std::string& address) const;

  friend bool operator==(const RegistryRoutes&, const RegistryRoutes&) = default;
};

}  // namespace trimtab
