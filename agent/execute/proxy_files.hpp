// The text files that tell a proxy where a service is, and those that show its connections. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

// Returns the hosts file without the lines that hosts_with() wrote for the service.
std::string hosts_without(std::string_view hosts, std::string_view service);

// Returns the hosts file with lines, marked as ours, that map the names to exactly these addresses:
// it takes precedence over Docker's DNS.
std::string hosts_with(std::string_view hosts, std::string_view service,
                       const std::vector<std::string>& addresses,
                       const std::set<std::string>& names);

// Returns the number of open connections to one of the IPv4 addresses in a table of /proc/PID/net
// (tcp or tcp6).
int connections_to(std::string_view table, const std::set<std::string>& addresses);

}  // namespace trimtab
