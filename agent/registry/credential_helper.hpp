// Docker's credential helpers: programs that store or create logins.
#pragma once

#include <optional>
#include <string>

#include "agent/model/login.hpp"
#include "common/async.hpp"
#include "common/process.hpp"
#include "common/proxy.hpp"

namespace trimtab {

// Parses the output of `docker-credential-NAME get` for a server; none if the helper has no login
// for it. Errc::invalid if the output is no login, unavailable if the helper failed. The text never
// quotes anything that may be a secret.
Result<std::optional<RegistryLogin>> parse_helper_answer(const std::string& name,
                                                         const std::string& server,
                                                         const Exit& exit);

// Runs docker-credential-NAME to get the login for `server`, as config.json names it. After 10 s
// the helper is killed with all processes that it started. Errors: those of parse_helper_answer,
// not_found (no such program), timed_out.
Task<Result<std::optional<RegistryLogin>>> ask_helper(std::string name, std::string server,
                                                      http::Proxies proxies);

}  // namespace trimtab
