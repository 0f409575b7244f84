// `trimtab init`: from a repository's address to a working stack file.
#pragma once

#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace trimtab::cli {

// Asks for what the options do not answer, creates or reuses key and host key, tests access, and
// writes CONFIG_DIR/stacks.d/NAME.yaml. After an interruption, running it again continues from what
// exists. Returns the exit code.
int init(const InitOptions& options, const std::filesystem::path& config_dir, Terminal& terminal);

}  // namespace trimtab::cli
