// The token flow of the distribution project: a 401 names a realm, which gives a token for a scope.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/registry/www_authenticate.hpp"
#include "common/result.hpp"
#include "common/url.hpp"

namespace trimtab {

// The realm's target with the challenge's service and scopes and the login's user name ("": none)
// added. A challenge without a scope asks for a pull of `repository`.
std::string token_target(const http::Url& realm, const Challenge& challenge,
                         const std::string& repository, const std::string& username);

// The form that asks the realm for a token in exchange for an identity token, OAuth 2's refresh
// token (the distribution project's token/oauth). Holds the identity token.
std::string token_form(const Challenge& challenge, const std::string& repository,
                       const std::string& identity_token);

struct Token {
  std::string text;                 // never empty, and safe in a header
  std::chrono::seconds lifetime{};  // from its receipt on
};

// A realm's answer. Errc::invalid where it holds no token; the text never quotes the answer.
Result<Token> parse_token(std::string_view body);

}  // namespace trimtab
