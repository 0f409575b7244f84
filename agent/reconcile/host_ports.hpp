// Who listens on this host's ports.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"

namespace trimtab {

// Who listens on the wanted ports ("tcp/80"), by address; "another process" where the owner cannot
// be seen. Reads /proc.
std::vector<PortHolder> port_holders(const std::set<std::string>& wanted);

}  // namespace trimtab
