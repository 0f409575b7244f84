#include "agent/registry/ecr.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "agent/registry/registry_errors.hpp"
#include "common/hash.hpp"
#include "common/http_client.hpp"
#include "common/json.hpp"
#include "common/url.hpp"

namespace trimtab {

namespace {

constexpr std::chrono::seconds max_question{20};
constexpr std::size_t max_token_answer = 256 * 1024;

bool is_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == text.npos;
}

// Returns "UnrecognizedClientException" for "com.amazonaws.ecr#UnrecognizedClientException".
std::string exception_name(const http::Response& response) {
  const auto body = parse_json(response.body);
  const std::string type = body ? json_string(*body, "__type") : std::string();
  return type.substr(type.find('#') + 1);
}

// AWS uses both "message" and "Message".
std::string aws_message(const http::Response& response) {
  const auto body = parse_json(response.body);
  if (!body) return {};
  return json_string(*body, "message", json_string(*body, "Message"));
}

Result<http::Endpoint> endpoint_of(const EcrRegistry& registry, const http::Proxies& proxies) {
  const char* const moved = std::getenv("AWS_ENDPOINT_URL_ECR");
  const bool is_moved = moved != nullptr && *moved != '\0';
  const auto url = http::parse_url(is_moved ? moved : "https://" + registry.api_host);
  if (!url) return url.error().context(is_moved ? "AWS_ENDPOINT_URL_ECR" : registry.api_host);
  if (!url->tls && !http::is_loopback_host(url->host)) {
    return Error{Errc::untrusted,
                 "AWS_ENDPOINT_URL_ECR is not https, so others could read the login",
                 "use https://, or unset it"};
  }
  return http::endpoint_for(*url, proxies, {});
}

}  // namespace

std::optional<EcrRegistry> parse_ecr_registry(std::string_view registry) {
  constexpr std::string_view digits = "0123456789";
  constexpr std::string_view region_letters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  // ACCOUNT.dkr.ecr.REGION.amazonaws.com and its variants: the text before and after the region,
  // and the same for the API's host in the same partition.
  constexpr struct {
    std::string_view before, after, api_before, api_after;
  } forms[] = {
      {"dkr.ecr.", ".amazonaws.com", "api.ecr.", ".amazonaws.com"},
      {"dkr.ecr.", ".amazonaws.com.cn", "api.ecr.", ".amazonaws.com.cn"},
      {"dkr.ecr.", ".amazonaws.eu", "api.ecr.", ".amazonaws.eu"},
      {"dkr.ecr-fips.", ".amazonaws.com", "api.ecr-fips.", ".amazonaws.com"},
      {"dkr-ecr.", ".on.aws", "ecr.", ".api.aws"},
      {"dkr-ecr-fips.", ".on.aws", "ecr-fips.", ".api.aws"},
      {"dkr-ecr.", ".on.amazonwebservices.com.cn", "ecr.", ".api.amazonwebservices.com.cn"},
  };
  const auto dot = registry.find('.');
  const auto account = registry.substr(0, dot);
  if (dot == registry.npos || account.size() != 12 || !is_of(account, digits)) return {};
  const auto rest = registry.substr(dot + 1);
  for (const auto& form : forms) {
    if (!rest.starts_with(form.before) || !rest.ends_with(form.after)) continue;
    if (rest.size() <= form.before.size() + form.after.size()) continue;
    const std::string region(
        rest.substr(form.before.size(), rest.size() - form.before.size() - form.after.size()));
    if (!is_of(region, region_letters)) continue;
    return EcrRegistry{region, std::string(form.api_before) + region + std::string(form.api_after)};
  }
  return {};
}

Result<EcrLogin> parse_ecr_login(std::string_view body) {
  const Error none{Errc::invalid, "AWS's response contains no login", "this is retried later"};
  const auto answer = parse_json(body);
  if (!answer) return none;
  const Json& data = json_array(*answer, "authorizationData");
  if (data.empty() || !data.front().is_object()) return none;
  const auto decoded = base64_decode(json_string(data.front(), "authorizationToken"));
  if (!decoded) return none;
  const auto colon = decoded->find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == decoded->size()) return none;
  const auto expires = data.front().find("expiresAt");
  if (expires == data.front().end() || !expires->is_number()) return none;
  // Seconds since 1970, with a fraction; clamped because a wild number would overflow a time point.
  constexpr double last = 4102444800.0;  // 2100
  const double seconds = std::clamp(expires->get<double>(), 0.0, last);
  return EcrLogin{decoded->substr(0, colon), decoded->substr(colon + 1),
                  WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000.0)))};
}

Error ecr_refusal(const std::string& api_host, const http::Response& response) {
  const std::string name = exception_name(response);
  const auto is = [&name](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  // AWS's message is not passed on if it may show what was signed, including the session token.
  const std::string message = aws_message(response);
  const bool about_time = message.find("Signature expired") != message.npos ||
                          message.find("not yet current") != message.npos;
  const bool about_signature = is({"InvalidSignatureException", "SignatureDoesNotMatch"});
  if (is({"RequestExpired", "RequestTimeTooSkewed"}) || (about_signature && about_time)) {
    return Error{Errc::denied, api_host + " refuses the request because this host's clock is wrong",
                 "set the clock; `timedatectl` shows whether it is synchronised"};
  }
  if (about_signature) {
    return Error{Errc::denied, api_host + " says that the AWS secret key does not belong to its id",
                 "check aws_secret_access_key"};
  }
  if (is({"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"})) {
    return Error{Errc::denied, api_host + " does not know the AWS access key",
                 "check aws_access_key_id; the key may have been deleted or made inactive"};
  }
  if (is({"ExpiredTokenException", "ExpiredToken"})) {
    return Error{Errc::denied, "the temporary AWS keys have expired",
                 "write new ones, or keys of an IAM user, which do not expire"};
  }
  if (name.starts_with("AccessDenied")) {
    const std::string said = short_message(message);
    return Error{Errc::denied,
                 "the AWS keys lack the permission to log in to Amazon ECR" +
                     (said.empty() ? std::string() : ": " + said),
                 "give their user the permission ecr:GetAuthorizationToken, which the policy "
                 "AmazonEC2ContainerRegistryReadOnly contains"};
  }
  const bool busy = response.status == 429 || response.status / 100 == 5 ||
                    name.starts_with("Throttling") || name.starts_with("TooManyRequests");
  const std::string status =
      std::to_string(response.status) + (name.empty() ? "" : ", " + short_message(name));
  if (busy) {
    return Error{Errc::unavailable,
                 fmt::format("{} returns no login at the moment ({})", api_host, status),
                 "this is retried later"};
  }
  return Error{Errc::failed, fmt::format("{} returns no login ({})", api_host, status),
               "check the registry's name and the AWS keys"};
}

Task<Result<EcrLogin>> get_ecr_login(EcrRegistry registry, AwsKeys keys, http::Proxies proxies) {
  const auto endpoint = endpoint_of(registry, proxies);
  if (!endpoint) co_return endpoint.error();
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.body = "{}";
  request.headers.emplace_back("Content-Type", "application/x-amz-json-1.1");
  request.headers.emplace_back("X-Amz-Target",
                               "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
  const AwsScope scope{registry.region, "ecr"};
  const http::Headers added =
      aws_signature(request, http::authority_of(endpoint->tls, endpoint->host, endpoint->port),
                    keys, scope, wall_now());
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  http::Limits limits;
  limits.body_bytes = max_token_answer;
  limits.timeout = max_question;
  http::Connection connection(*endpoint);
  const auto response = co_await connection.exchange(std::move(request), limits);
  if (!response) co_return response.error();
  if (response->status != 200) co_return ecr_refusal(registry.api_host, *response);
  auto login = parse_ecr_login(response->body);
  if (!login) co_return login.error().context(registry.api_host);
  co_return login;
}

}  // namespace trimtab
