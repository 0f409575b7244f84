// What the commands do.
#pragma once

#include "cli/options.hpp"

namespace trimtab::cli {

// Runs the command to its end; the exit code.
int run(const Options& options);

}  // namespace trimtab::cli
