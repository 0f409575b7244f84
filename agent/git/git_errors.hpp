// What Git's words on standard error mean.
#pragma once

#include <string>
#include <string_view>

#include "agent/git/remote.hpp"
#include "common/http.hpp"

namespace trimtab {

// A failure of a command that talked to the remote, in the user's words.
Error explain_remote_failure(std::string_view standard_error, const Remote& remote,
                             const GitAccess& access);

// The same for what the remote answered us, with how long it asks to be left alone: an answer of
// another status than 200. invalid where the program git may still know what to do.
Error explain_status(const http::Response& response, const Remote& remote, const GitAccess& access);

// The same for a connection of our own to it.
Error explain_connection_failure(const Error& failure, const Remote& remote,
                                 const GitAccess& access);

// No answer within the time for it.
Error no_answer_in_time(const Remote& remote);

// A failure of a command on our own repository or a checkout. `what` completes "cannot …".
Error explain_local_failure(const std::string& what, std::string_view standard_error);

}  // namespace trimtab
