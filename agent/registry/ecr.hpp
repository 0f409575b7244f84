// Amazon ECR: its registries are told by their names, and their logins, which AWS gives for its
// keys, end after twelve hours.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/registry/aws_signature.hpp"
#include "common/async.hpp"
#include "common/http.hpp"
#include "common/proxy.hpp"
#include "common/text.hpp"

namespace trimtab {

struct EcrRegistry {
  std::string region;
  std::string api_host;  // whom to ask for a login

  friend bool operator==(const EcrRegistry&, const EcrRegistry&) = default;
};

// Nothing where the registry's name is not one of a private registry of Amazon ECR.
std::optional<EcrRegistry> parse_ecr_registry(std::string_view registry);

// Never printed, never logged.
struct EcrLogin {
  std::string username;
  std::string password;
  WallTime expires_at;
};

// What GetAuthorizationToken answers. Errc::invalid where it holds no login; the text never quotes
// the answer.
Result<EcrLogin> parse_ecr_login(std::string_view body);

// AWS's refusal in a user's words: denied (the keys are wrong or lack a right, or the clock is),
// unavailable (429, 5xx), failed.
Error ecr_refusal(const std::string& api_host, const http::Response& response);

// Asks AWS for a login, 20 s at most. Errors as ecr_refusal, parse_ecr_login and http::Connection
// have them. AWS_ENDPOINT_URL_ECR, AWS's own variable, moves the endpoint; without TLS to this
// host's loopback alone.
Task<Result<EcrLogin>> get_ecr_login(EcrRegistry registry, AwsKeys keys, http::Proxies proxies);

}  // namespace trimtab
