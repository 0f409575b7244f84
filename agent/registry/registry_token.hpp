// Token authentication of the distribution project: a 401 names a realm, which issues a token for a
// scope.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/registry/www_authenticate.hpp"
#include "common/result.hpp"
#include "common/url.hpp"

namespace trimtab {

// Returns the realm's target with the challenge's service and scopes and the login's user name ("":
// none) as query parameters. A challenge without a scope gets the scope for pulling `repository`.
std::string token_target(const http::Url& realm, const Challenge& challenge,
                         const std::string& repository, const std::string& username);

// Returns the form that exchanges an identity token, which is an OAuth 2 refresh token, for a token
// (the distribution project's token/oauth). Contains the identity token.
std::string token_form(const Challenge& challenge, const std::string& repository,
                       const std::string& identity_token);

struct Token {
  std::string text;                 // never empty, and safe in a header
  std::chrono::seconds lifetime{};  // from its receipt on
};

// Parses a realm's response. Errc::invalid if it contains no token; the text never quotes the
// response.
Result<Token> parse_token(std::string_view body);

}  // namespace trimtab
