// Git calls that talk to a remote.
#pragma once

#include "agent/git/git_child.hpp"
#include "agent/git/remote.hpp"

namespace trimtab {

// Git with these arguments, let at the remote. `folder` may get a settings file of ours. Fails
// where a key or token file cannot be used.
Result<GitCall> remote_call(const GitAccess& access, const Remote& remote,
                            const std::filesystem::path& folder,
                            std::vector<std::string> arguments);

// Its output. Where it fails, the error says in the user's words what the remote or Git said.
Task<Result<std::string>> remote_output(GitCall call, Remote remote, GitAccess access);

}  // namespace trimtab
