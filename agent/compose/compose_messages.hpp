// Translates Compose's messages on standard error for the user. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

// Returns the variables that Compose reports as not set, in order and without duplicates.
std::vector<std::string> unset_variables(std::string_view standard_error);

// Returns the other warnings, with the path `staged` and the `root` of others taken off.
std::vector<std::string> other_warnings(std::string_view standard_error, const std::string& staged,
                                        const std::string& root);

// Part of the error message if an env file cannot be parsed.
inline constexpr std::string_view unreadable_env_file = "env file cannot be read";

// Explains why rendering failed: invalid if Compose rejects the project, unavailable or failed if
// Compose cannot work on this host. Replaces the path `staged` by `shown` in the text, and strips
// `root` from other paths.
Error explain_render_failure(std::string_view standard_error, const std::string& staged,
                             const std::string& shown, const std::string& root = {});

// Explains why `up` failed: the end of Compose's output without its progress lines.
std::string explain_up_failure(std::string_view standard_error);

// Classifies the failure: unavailable if the Engine went away, no_space if the disk is full,
// invalid if the project is known to be at fault, else failed.
Errc kind_of_up_failure(std::string_view standard_error);

}  // namespace trimtab
