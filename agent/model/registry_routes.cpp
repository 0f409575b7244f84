#include "agent/model/registry_routes.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

namespace trimtab {

namespace {

namespace ip = boost::asio::ip;

bool is_within(const ip::address& address, const std::string& network) {
  boost::system::error_code ec;
  if (address.is_v4()) {
    const auto wide = ip::make_network_v4(network, ec);
    if (ec) return false;
    const ip::network_v4 alone(address.to_v4(), 32);
    return alone == wide.canonical() || alone.is_subnet_of(wide);
  }
  const auto wide = ip::make_network_v6(network, ec);
  if (ec) return false;
  const ip::network_v6 alone(address.to_v6(), 128);
  return alone == wide.canonical() || alone.is_subnet_of(wide);
}

}  // namespace

bool RegistryRoutes::is_insecure(const std::string& host, std::uint16_t port) const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return insecure.contains(name + ":" + std::to_string(port)) ||
         (port == 443 && insecure.contains(name));
}

bool RegistryRoutes::is_insecure_address(const std::string& address) const {
  boost::system::error_code ec;
  const auto parsed = ip::make_address(address, ec);
  return !ec && std::any_of(insecure_networks.begin(), insecure_networks.end(),
                            [&](const std::string& network) { return is_within(parsed, network); });
}

}  // namespace trimtab
