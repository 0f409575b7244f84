// The command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace trimtab::cli {

enum class Action {
  status,
  init,
  check,
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

// Answers to what `trimtab init` asks; empty: not given.
struct InitOptions {
  std::string url;
  std::string name;
  std::string ref;
  std::string directory;
  std::vector<std::string> compose;
  std::string token_file;
  std::string key;
  std::string host_fingerprint;
  bool yes = false;
};

struct Options {
  Action action = Action::status;
  std::string socket = "/run/trimtab/trimtab.sock";
  std::filesystem::path config_dir = "/etc/trimtab";
  InitOptions init;
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
