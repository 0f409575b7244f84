// Hooks in the simulated world.
#pragma once

#include <map>
#include <string>

#include "agent/config/settings.hpp"
#include "common/async.hpp"
#include "tests/simulation/world.hpp"

namespace trimtab::simulation {

// Of the stack, in lives that have some.
HooksSettings simulated_hooks();

struct HookCall {
  std::string program;
  std::string container;  // in which it runs; id
  std::map<std::string, std::string> environment;
  bool fails = false;
  bool hangs = false;
};

// Gives its exit code. Where the caller is cancelled or killed meanwhile, the process goes on.
Task<Result<int>> run_hook(World& world, HookCall call);

}  // namespace trimtab::simulation
