// `trimtab init`: from a repository's address to a stack's file that works.
#pragma once

#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace trimtab::cli {

// Asks what the options leave open, makes or reuses key and host key, tries the access, writes
// CONFIG_DIR/stacks.d/NAME.yaml. Begun again after a stop, it goes on with what is there. The exit
// code.
int init(const InitOptions& options, const std::filesystem::path& config_dir, Terminal& terminal);

}  // namespace trimtab::cli
