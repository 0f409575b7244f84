// Explains a registry's error responses to the user.
#pragma once

#include <string>
#include <string_view>

#include "agent/model/reference.hpp"
#include "common/http.hpp"
#include "common/result.hpp"

namespace trimtab {

// The image's name within its registry: "acme/backend:latest".
std::string image_in_registry(const ImageReference& reference);

// Shortens a foreign message to one line without control characters.
std::string short_message(std::string_view text);

// Returns the registry's message from the body of an error response, bounded and printable; "" if
// none.
std::string registry_message(std::string_view body);

// The error for a 429 or 5xx of this host, with its Retry-After.
Error busy(const std::string& host, const http::Response& response);

// 404: not_found; 401 and 403: denied; 429 and 5xx: unavailable; others: failed. `login` says
// whether the request was sent with one.
Error refusal(const ImageReference& reference, const http::Response& response, bool login);

// The same for a response of the token server (`realm_host`).
Error token_refusal(const ImageReference& reference, const std::string& realm_host,
                    const http::Response& response, bool login);

}  // namespace trimtab
