// Child processes: argv only, closed environment, own process group, bounded output, deadline.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/async.hpp"

namespace trimtab {

struct Command {
  std::vector<std::string> argv;                   // argv[0] is looked up in PATH of `environment`
  std::map<std::string, std::string> environment;  // all that the child gets
  std::string directory;                           // working directory; empty: ours
  std::string input;                               // standard input; empty: /dev/null
  SteadyClock::duration timeout = std::chrono::minutes(1);
  std::size_t output_limit = 1024 * 1024;  // bytes kept of standard output, the last ones
  std::size_t error_limit = 1024 * 1024;   // the same of standard error
};

struct Exit {
  int code = 0;    // exit code; 128 + signal when killed by one
  int signal = 0;  // 0 unless killed by a signal
  std::string out;
  std::string err;
  bool out_truncated = false;  // bytes before the kept ones were dropped
  [[nodiscard]] bool ok() const { return code == 0; }
  // The last lines of standard error (or output, where that is empty), trimmed, for an error text.
  [[nodiscard]] std::string error_tail() const;
};

// Runs the command to its end. Fails only where it cannot be started (not_found), its deadline
// passes (timed_out) or we are cancelled; then its process group has been ended: SIGTERM, 5 s,
// SIGKILL. A non-zero exit is not an Error. The child holds no descriptor of ours, and
// SIGPIPE and the signal mask are reset.
Task<Result<Exit>> run(Command command);

// The children of a process that was killed live on. Ends (SIGKILL) those that run() started, and
// theirs, in a process that had called this with the same `owner` (a path that one process at a
// time works in, which the caller has locked), waits up to 5 s for their end and gives how many
// there were. From now on run() marks children as the owner's, in their environment.
int end_orphans(const std::string& owner);

// Ends (SIGKILL) every process of this host, also one in a container, that has this variable
// ("NAME=VALUE") in its environment, waits up to 5 s for their end and gives how many there were.
int kill_by_environment(const std::string& variable);

// Where PATH (colon separated folders) has an executable of that name; empty if nowhere.
std::string find_program(std::string_view name, std::string_view path);

// {PATH, LC_ALL=C} of this process: what every child needs.
std::map<std::string, std::string> minimal_environment();

}  // namespace trimtab
