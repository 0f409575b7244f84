// What credential helpers and AWS answer, and AWS's files of keys.
#include "agent/registry/aws_credentials.hpp"
#include "agent/registry/credential_helper.hpp"
#include "agent/registry/ecr.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trimtab::fuzz {

void run(std::string_view input) {
  if (const auto keys = parse_aws_credentials(input, "default")) {
    require(!keys->access_key_id.empty() && !keys->secret_access_key.empty());
    // Nothing of it may end a header's line.
    const http::Headers headers =
        aws_signature({}, "example.com", *keys, {"eu-central-1", "ecr"}, wall_now());
    for (const auto& [name, value] : headers)
      require(value.find_first_of("\r\n") == std::string::npos);
  }
  for (const int code : {0, 1}) {
    const Exit exit{code, 0, std::string(input), {}, false};
    const auto login = parse_helper_answer("pass", "ghcr.io", exit);
    if (login && *login) require(!(*login)->password.empty() || !(*login)->identity_token.empty());
    if (!login) require(login.error().message.find('\n') == std::string::npos);
  }
  if (const auto login = parse_ecr_login(input)) require(!login->password.empty());
  const http::Response refused{403, {}, std::string(input)};
  require(!ecr_refusal("api.ecr.example", refused).message.empty());
  parse_ecr_registry(input);
}

}  // namespace trimtab::fuzz
