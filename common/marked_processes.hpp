// Processes that are known by a variable in their environment, which their children inherit.
#pragma once

#include <string>

namespace trimtab {

// Kills (SIGKILL) every process of this host, including those in containers, that has this variable
// ("NAME=VALUE") in its environment. Waits up to 5 s for their exit and returns their number.
int kill_by_environment(const std::string& variable);

}  // namespace trimtab
