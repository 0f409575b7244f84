// Who listens on this host's ports.
#pragma once

#include <map>
#include <set>
#include <string>

namespace trimtab {

// Of the wanted ports ("tcp/80"), those that a process listens on: → "nginx (pid 812)", or "another
// process" where its owner cannot be seen. Reads /proc.
std::map<std::string, std::string> port_holders(const std::set<std::string>& wanted);

}  // namespace trimtab
