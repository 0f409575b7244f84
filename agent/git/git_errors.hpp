// Translates Git's messages on standard error into errors with a code and a hint.
#pragma once

#include <string>
#include <string_view>

#include "agent/git/remote.hpp"
#include "common/http.hpp"

namespace trimtab {

// Explains the failure of a command that talked to the remote.
Error explain_remote_failure(std::string_view standard_error, const Remote& remote,
                             const GitAccess& access);

// Explains an HTTP response with a status other than 200, including its Retry-After. invalid if the
// git program may still succeed.
Error explain_status(const http::Response& response, const Remote& remote, const GitAccess& access);

// Explains the failure of trimtab's own connection to the remote.
Error explain_connection_failure(const Error& failure, const Remote& remote,
                                 const GitAccess& access);

// The error for a remote that did not answer before the timeout.
Error no_answer_in_time(const Remote& remote);

// Explains the failure of a command on the bare repository or a checkout. `what` completes "cannot
// …".
Error explain_local_failure(const std::string& what, std::string_view standard_error);

}  // namespace trimtab
