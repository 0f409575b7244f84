// A configured stack that could not be set up; trimtab leaves it alone.
#pragma once

#include <map>
#include <string>

#include "agent/config/settings.hpp"
#include "common/result.hpp"

namespace trimtab {

struct UnavailableStack {
  StackSettings settings;
  Error error;       // why it is unavailable
  std::string next;  // what will happen next, for the user
};

using UnavailableStacks = std::map<std::string, UnavailableStack>;  // by name

}  // namespace trimtab
