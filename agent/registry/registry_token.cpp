#include "agent/registry/registry_token.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "common/json.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab {

namespace {

// The specification's default for responses that do not tell.
constexpr std::chrono::seconds default_lifetime{60};
// More than any server grants; clamped because a larger number would overflow a time point.
constexpr std::int64_t max_lifetime = 7 * 24 * 3600;

std::string scope_of(const Challenge& challenge, const std::string& repository) {
  const auto scope = challenge.parameter("scope");
  return scope.empty() ? fmt::format("repository:{}:pull", repository) : scope;
}

}  // namespace

std::string token_target(const http::Url& realm, const Challenge& challenge,
                         const std::string& repository, const std::string& username) {
  std::string target = realm.target;
  char separator = target.find('?') == std::string::npos ? '?' : '&';
  const auto add = [&](std::string_view name, const std::string& value) {
    target += fmt::format("{}{}={}", separator, name, http::percent_encode(value));
    separator = '&';
  };
  if (const auto service = challenge.parameter("service"); !service.empty())
    add("service", service);
  for (const auto& one : split(scope_of(challenge, repository), ' '))
    if (!one.empty()) add("scope", one);
  if (!username.empty()) add("account", username);
  return target;
}

std::string token_form(const Challenge& challenge, const std::string& repository,
                       const std::string& identity_token) {
  // Without access_type=offline no new refresh token is issued, so the identity token in
  // config.json stays valid.
  return fmt::format(
      "grant_type=refresh_token&client_id=trimtab&service={}&scope={}&refresh_token={}",
      http::percent_encode(challenge.parameter("service")),
      http::percent_encode(scope_of(challenge, repository)), http::percent_encode(identity_token));
}

Result<Token> parse_token(std::string_view body) {
  const auto answer = parse_json(body);
  if (!answer) return answer.error();
  Token token;
  // OAuth 2 names it access_token; if both are present they are equal.
  token.text = json_string(*answer, "token", json_string(*answer, "access_token"));
  if (token.text.empty() || !is_visible_ascii(token.text))
    return Error{Errc::invalid, "the answer holds no token", {}};
  const auto lifetime = json_int(*answer, "expires_in", default_lifetime.count());
  token.lifetime = std::chrono::seconds(std::clamp<std::int64_t>(lifetime, 0, max_lifetime));
  return token;
}

}  // namespace trimtab
