// Which registries the Engine takes without a certificate that anybody vouches for.
#include <gtest/gtest.h>

#include "agent/model/registry_routes.hpp"

namespace trimtab {
namespace {

TEST(RegistryRoutes, NameWhatIsInsecure) {
  RegistryRoutes routes;
  routes.insecure = {"10.9.8.7:5000", "plain.lan", "[fd00::1]:5000"};
  EXPECT_TRUE(routes.is_insecure("10.9.8.7", 5000));
  EXPECT_FALSE(routes.is_insecure("10.9.8.7", 443));
  EXPECT_TRUE(routes.is_insecure("plain.lan", 443));
  EXPECT_FALSE(routes.is_insecure("plain.lan", 5000));
  EXPECT_TRUE(routes.is_insecure("fd00::1", 5000));
  EXPECT_FALSE(routes.is_insecure("other.lan", 443));
}

TEST(RegistryRoutes, NetworksAreInsecureByAddress) {
  RegistryRoutes routes;
  routes.insecure_networks = {"10.0.0.0/8", "192.168.1.7/32", "fd00::/8", "nonsense", ""};
  for (const char* inside : {"10.0.0.1", "10.255.255.255", "192.168.1.7", "fd12::1"}) {
    EXPECT_TRUE(routes.is_insecure_address(inside)) << inside;
  }
  for (const char* outside : {"11.0.0.1", "192.168.1.8", "fe80::1", "10.0.0", "plain.lan", ""}) {
    EXPECT_FALSE(routes.is_insecure_address(outside)) << outside;
  }
}

}  // namespace
}  // namespace trimtab
