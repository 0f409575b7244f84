// The command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace trimtab::cli {

enum class Action {
  check,
  status,
  plan,
  deploy,
  rollback,
  history,
  show,
  logs,
  events,
  pause,
  resume
};

struct Options {
  Action action = Action::status;
  std::string socket = "/run/trimtab/trimtab.sock";
  std::filesystem::path config_dir = "/etc/trimtab";
  std::vector<std::filesystem::path> files;  // of check
  std::string stack;                         // empty: not given
  std::vector<std::string> services;         // of logs
  std::string commit;                        // of deploy
  std::string reason;                        // of pause
  std::int64_t release = 0;                  // of show and rollback; 0: not given
  std::int64_t tail = 100;                   // of logs
  bool follow = false;
  bool json = false;
  bool wait = false;
  bool watch = false;
};

// The options, or the exit code of a command line that asks for no action: after --help, --version
// or an error, whose text is then printed.
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace trimtab::cli
