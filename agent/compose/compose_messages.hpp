// What Compose says on standard error, in a user's words. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

// The variables that Compose says are not set, each once, in order.
std::vector<std::string> unset_variables(std::string_view standard_error);

// The other warnings, one each.
std::vector<std::string> other_warnings(std::string_view standard_error);

// In the message of an error that an env file is to blame for.
inline constexpr std::string_view unreadable_env_file = "env file cannot be read";

// Why rendering failed: invalid where Compose refuses the project, unavailable or failed where it
// cannot do its work here. `staged` paths in the text are shown as paths below `shown`,
// others below `root` without it.
Error explain_render_failure(std::string_view standard_error, const std::string& staged,
                             const std::string& shown, const std::string& root = {});

// Why `up` failed: Compose's last words without its progress lines.
std::string explain_up_failure(std::string_view standard_error);

// What kind of failure that was: unavailable where the Engine went away, no_space where the disk is
// full, invalid where the project is known to be at fault, else failed.
Errc kind_of_up_failure(std::string_view standard_error);

}  // namespace trimtab
