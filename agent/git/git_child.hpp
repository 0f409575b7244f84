// Running git.
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

// The child's end, whatever its exit code. too_large where it said more than can be kept.
Task<Result<Exit>> run_git(GitCall call);

// Its output. Where it fails, the error says that we cannot `what`.
Task<Result<std::string>> git_output(std::string what, GitCall call);

// The lines or NUL-terminated fields of an output; an empty last one is left out.
std::vector<std::string> fields(const std::string& output, char separator);

// A full object id, SHA-1 or SHA-256.
bool is_object_id(std::string_view text);

}  // namespace trimtab
