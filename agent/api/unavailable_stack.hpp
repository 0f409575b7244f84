// A stack that the configuration names and that could not be taken up: nothing is done to it.
#pragma once

#include <map>
#include <string>

#include "agent/config/settings.hpp"
#include "common/result.hpp"

namespace trimtab {

struct UnavailableStack {
  StackSettings settings;
  Error error;       // why
  std::string next;  // what will happen, in words
};

using UnavailableStacks = std::map<std::string, UnavailableStack>;  // by name

}  // namespace trimtab
