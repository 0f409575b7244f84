// Implements the commands.
#pragma once

#include "cli/options.hpp"

namespace trimtab::cli {

// Runs the command and returns the exit code.
int run(const Options& options);

}  // namespace trimtab::cli
