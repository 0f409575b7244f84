// The headers and bodies that registries and token servers answer with.
#include "agent/registry/registry_errors.hpp"
#include "agent/registry/registry_token.hpp"
#include "agent/registry/www_authenticate.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  for (const auto& challenge : parse_challenges(input)) {
    require(!challenge.scheme.empty());
    const auto realm = http::parse_url(challenge.parameter("realm"));
    if (!realm) continue;
    // Nothing of it may end the request's line.
    const auto target = token_target(*realm, challenge, "acme/backend", "ana");
    require(target.starts_with('/') && target.find_first_of(" \r\n") == std::string::npos);
  }
  if (const auto token = parse_token(input)) {
    require(token->text.find_first_of(" \r\n") == std::string::npos);
    require(token->lifetime >= std::chrono::seconds(0));
  }
  require(registry_message(input).find('\n') == std::string::npos);
}

}  // namespace trimtab::fuzz
