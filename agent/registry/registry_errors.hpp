// What a registry's refusals mean, in a user's words.
#pragma once

#include <string>
#include <string_view>

#include "agent/model/reference.hpp"
#include "common/http.hpp"
#include "common/result.hpp"

namespace trimtab {

// The image as its registry knows it: "acme/backend:latest".
std::string image_in_registry(const ImageReference& reference);

// The start of foreign words, on one line that cannot drive a terminal.
std::string short_message(std::string_view text);

// The registry's own words in the body of an error answer, bounded and printable; "" if none.
std::string registry_message(std::string_view body);

// A 429 or 5xx of this host, with the patience that it asks for.
Error busy(const std::string& host, const http::Response& response);

// 404: not_found; 401 and 403: denied; 429 and 5xx: unavailable; others: failed. `login` says that
// the question was asked with one.
Error refusal(const ImageReference& reference, const http::Response& response, bool login);

// The same for the answer of the host (a realm's) that was to give a token for the image.
Error token_refusal(const ImageReference& reference, const std::string& realm_host,
                    const http::Response& response, bool login);

}  // namespace trimtab
