// Maps the Engine's error responses to errors with a code and a hint.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace trimtab {

// Returns the Engine's message from a response body ({"message": …} or plain text), bounded and
// printable.
std::string engine_message(std::string_view body);

// "WHAT: the Engine's message", with the code that corresponds to the status.
Error engine_error(std::string_view what, int status, std::string_view body);

// Explains why a pull failed. The status says little (500 if the registry is down), the message
// much. The status is 200 if the failure was reported within the progress stream.
Error pull_error(std::string_view image, int status, std::string_view message);

// Whether the Engine refuses the API version in the path, as after it was replaced by another
// version.
bool is_version_refusal(int status, std::string_view body);

}  // namespace trimtab
