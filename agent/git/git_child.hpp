// Runs the git program as a child process.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/process.hpp"

namespace trimtab {

struct GitCall {
  std::vector<std::string> arguments;  // after "git"
  std::map<std::string, std::string> environment;
  std::string directory = "/";
  std::string input;
  SteadyClock::duration timeout = std::chrono::minutes(5);
};

// Runs git and returns its exit, whatever the exit code. too_large if its output exceeds the limit.
Task<Result<Exit>> run_git(GitCall call);

// Returns git's output. On failure the error says "cannot `what`".
Task<Result<std::string>> git_output(std::string what, GitCall call);

// Splits an output into its lines or NUL-terminated fields, without the empty one after the last
// separator.
std::vector<std::string> fields(const std::string& output, char separator);

// Whether `text` is a full object id, SHA-1 or SHA-256.
bool is_object_id(std::string_view text);

}  // namespace trimtab
