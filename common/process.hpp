// Child processes: argv only, explicit environment, own process group, bounded output, timeout.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/async.hpp"

namespace trimtab {

struct Command {
  std::vector<std::string> argv;                   // argv[0] is searched in PATH of `environment`
  std::map<std::string, std::string> environment;  // the child's complete environment
  std::string directory;                           // working directory; empty: the daemon's
  std::string input;                               // standard input; empty: /dev/null
  SteadyClock::duration timeout = std::chrono::minutes(1);
  std::size_t output_limit = 1024 * 1024;  // bytes of standard output to keep, from its end
  std::size_t error_limit = 1024 * 1024;   // the same for standard error
};

struct Exit {
  int code = 0;    // exit code; 128 + signal if killed by a signal
  int signal = 0;  // 0 unless killed by a signal
  std::string out;
  std::string err;
  bool out_truncated = false;  // output before the kept bytes was dropped
  [[nodiscard]] bool ok() const { return code == 0; }
  // Returns the end of standard error (or of the output if that is empty), trimmed, for an error
  // message.
  [[nodiscard]] std::string error_tail() const;
};

// Runs the command until it exits. Fails only if it cannot be started (not_found), times out
// (timed_out) or the caller is cancelled; then its process group has been killed: SIGTERM, 5 s,
// SIGKILL. A non-zero exit code is not an Error. The child inherits no file descriptor; its SIGPIPE
// disposition and signal mask are reset.
Task<Result<Exit>> run(Command command);

// Children of a killed process keep running. Kills (SIGKILL) the children, and theirs, that run()
// started in an earlier process that had called this with the same `owner`; waits up to 5 s for
// their exit and returns their number. `owner` is a path in which one process at a time works, and
// which the caller has locked. From now on run() marks children with it in their environment.
int end_orphans(const std::string& owner);

// Searches PATH (directories separated by colons) for an executable; empty if there is none.
std::string find_program(std::string_view name, std::string_view path);

// Returns {PATH, LC_ALL=C} of this process, which every child needs.
std::map<std::string, std::string> minimal_environment();

}  // namespace trimtab
