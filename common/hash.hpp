// SHA-256 and the encodings around it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trimtab {

// Lower-case hex of the SHA-256 of `data`.
std::string sha256_hex(std::string_view data);

std::string base64_encode(std::string_view data);
// RFC 4648 section 5, with padding, as Docker's X-Registry-Auth wants it.
std::string base64url_encode(std::string_view data);
std::optional<std::string> base64_decode(std::string_view text);

// RFC 3986: everything but unreserved characters becomes %XX.
std::string percent_encode(std::string_view text);

}  // namespace trimtab
