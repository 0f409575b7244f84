// The daemon as a whole: builds its parts, wires them, runs and stops them.
#pragma once

#include <filesystem>
#include <optional>

#include "agent/units/systemd_units.hpp"

namespace trimtab {

struct AgentOptions {
  std::filesystem::path config_dir = "/etc/trimtab";
  std::filesystem::path state_dir = "/var/lib/trimtab";
  std::filesystem::path socket = "/run/trimtab/trimtab.sock";
  // The systemd that manages this host, if one does.
  std::optional<SystemdOptions> systemd;
};

// Runs until SIGTERM or SIGINT. Gives the exit code of the process: 0 stopped, 1 failed, 2
// configuration.
int run_agent(const AgentOptions& options);

}  // namespace trimtab
