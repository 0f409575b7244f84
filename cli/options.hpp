// Parses the command line.
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

// Answers to the questions of `trimtab init`; empty: not given.
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
  std::vector<std::filesystem::path> files;  // for check
  std::string stack;                         // empty: not given
  std::vector<std::string> services;         // for logs
  std::string commit;                        // for deploy
  std::string reason;                        // for pause
  std::int64_t release = 0;                  // for show and rollback; 0: not given
  std::int64_t tail = 100;                   // for logs
  bool follow = false;
  bool json = false;
  bool wait = false;
  bool watch = false;
};

// Returns the options, or an exit code if there is nothing to do: after --help, --version or an
// error, whose text has then been printed.
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace trimtab::cli
