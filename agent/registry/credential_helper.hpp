// Docker's credential helpers: programs that keep logins, or make them.
#pragma once

#include <optional>
#include <string>

#include "agent/model/login.hpp"
#include "common/async.hpp"
#include "common/process.hpp"
#include "common/proxy.hpp"

namespace trimtab {

// The login in the answer of `docker-credential-NAME get` for a server; none where it keeps none.
// Errc::invalid where the answer is no login, unavailable where the helper failed; the text never
// quotes what may be a secret.
Result<std::optional<RegistryLogin>> parse_helper_answer(const std::string& name,
                                                         const std::string& server,
                                                         const Exit& exit);

// Asks docker-credential-NAME for the login to `server`, as config.json names it. 10 s at most,
// then the helper is ended with all that it started. Errors: as parse_helper_answer, not_found (no
// such program), timed_out.
Task<Result<std::optional<RegistryLogin>>> ask_helper(std::string name, std::string server,
                                                      http::Proxies proxies);

}  // namespace trimtab
