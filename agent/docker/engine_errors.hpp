// What the Engine's refusals mean.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace trimtab {

// The Engine's own words in an answer's body ({"message": …} or plain text), bounded and printable.
std::string engine_message(std::string_view body);

// "WHAT: the Engine's words", with the kind that the status says.
Error engine_error(std::string_view what, int status, std::string_view body);

// Why a pull failed. The status says little (500 for a registry that is down), the words much;
// status 200 where the failure came in the middle of the progress.
Error pull_error(std::string_view image, int status, std::string_view message);

// Whether the Engine refuses the version of the API in the path: it was replaced by another.
bool is_version_refusal(int status, std::string_view body);

}  // namespace trimtab
