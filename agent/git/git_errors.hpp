// What Git's words on standard error mean.
#pragma once

#include <string>
#include <string_view>

#include "agent/git/remote.hpp"

namespace trimtab {

// A failure of a command that talked to the remote, in the user's words.
Error explain_remote_failure(std::string_view standard_error, const Remote& remote,
                             const GitAccess& access);

// A failure of a command on our own repository or a checkout. `what` completes "cannot …".
Error explain_local_failure(const std::string& what, std::string_view standard_error);

}  // namespace trimtab
