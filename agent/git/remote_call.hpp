// Runs git commands that talk to a remote.
#pragma once

#include "agent/git/git_child.hpp"
#include "agent/git/remote.hpp"

namespace trimtab {

// A git call with these arguments and the remote's credentials. `directory` is a private directory
// in which a configuration file may be written. Fails if a key or token file cannot be used.
Result<GitCall> remote_call(const GitAccess& access, const Remote& remote,
                            const std::filesystem::path& directory,
                            std::vector<std::string> arguments);

// Returns the call's output. On failure the error explains what the remote or Git said.
Task<Result<std::string>> remote_output(GitCall call, Remote remote, GitAccess access);

}  // namespace trimtab
