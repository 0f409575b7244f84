// Amazon ECR: recognises its registries by name and gets logins for them from AWS, which expire
// after twelve hours.
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
  std::string api_host;  // host that issues logins

  friend bool operator==(const EcrRegistry&, const EcrRegistry&) = default;
};

// Nothing unless the name is that of a private registry of Amazon ECR.
std::optional<EcrRegistry> parse_ecr_registry(std::string_view registry);

// Must never be printed or logged.
struct EcrLogin {
  std::string username;
  std::string password;
  WallTime expires_at;
};

// Parses the response of GetAuthorizationToken. Errc::invalid if it contains no login; the text
// never quotes the response.
Result<EcrLogin> parse_ecr_login(std::string_view body);

// Explains an error response of AWS: denied (the keys are wrong or lack a permission, or the clock
// is wrong), unavailable (429, 5xx) or failed.
Error ecr_refusal(const std::string& api_host, const http::Response& response);

// Requests a login from AWS, with a timeout of 20 s. Errors: those of ecr_refusal, parse_ecr_login
// and http::Connection. AWS's own variable AWS_ENDPOINT_URL_ECR overrides the endpoint; without TLS
// it may only point to this host's loopback.
Task<Result<EcrLogin>> get_ecr_login(EcrRegistry registry, AwsKeys keys, http::Proxies proxies);

}  // namespace trimtab
