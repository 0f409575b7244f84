// The text files by which a proxy is told where a service is, and that tell which connections it
// has. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab {

// The hosts file without the lines that hosts_with() wrote for the service.
std::string hosts_without(std::string_view hosts, std::string_view service);

// The hosts file with lines, marked as ours, by which the names mean these addresses and no other
// ones: it is asked before Docker's DNS.
std::string hosts_with(std::string_view hosts, std::string_view service,
                       const std::vector<std::string>& addresses,
                       const std::set<std::string>& names);

// How many open connections a table of /proc/PID/net (tcp or tcp6) has to one of the IPv4
// addresses.
int connections_to(std::string_view table, const std::set<std::string>& addresses);

}  // namespace trimtab
