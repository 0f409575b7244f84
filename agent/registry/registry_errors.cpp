#include "agent/registry/registry_errors.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/registry/ecr.hpp"
#include "common/json.hpp"
#include "common/retry_after.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr std::size_t max_message = 300;

std::string with_message(std::string text, const http::Response& response) {
  const auto message = registry_message(response.body);
  return message.empty() ? text : text + ": " + message;
}

// Suggests `docker login`, except for Amazon ECR, whose logins come from AWS keys.
std::string login_hint(const std::string& registry, bool login) {
  if (!parse_ecr_registry(registry)) {
    return fmt::format(
        "{}{}` as root",
        login ? "check the image's name and the login's permissions, or run `docker login "
              : "check the image's name, or run `docker login ",
        registry);
  }
  return login
             ? "check the image's name and that the AWS keys' user may pull it; a login to Amazon "
               "ECR by `docker login` expires after 12 hours"
             : "give trimtab AWS keys: aws_credentials_file in trimtab.yaml";
}

Error denied(const ImageReference& reference, const http::Response& response, bool login) {
  const auto& registry = reference.registry;
  const auto image = image_in_registry(reference);
  if (login) {
    return Error{
        Errc::denied,
        with_message(fmt::format("{} refuses {} to the login it was given", registry, image),
                     response),
        login_hint(registry, true)};
  }
  return Error{
      Errc::denied,
      with_message(fmt::format("{} refuses {} without a login", registry, image), response),
      login_hint(registry, false)};
}

Error unexpected(const std::string& who, const http::Response& response) {
  return Error{
      Errc::failed,
      with_message(fmt::format("{} does not answer like a registry ({})", who, response.status),
                   response),
      "check the registry's name in the image reference"};
}

bool is_busy(int status) {
  return status == 429 || status / 100 == 5;
}

}  // namespace

Error busy(const std::string& host, const http::Response& response) {
  const auto timeout = http::retry_after(response.header("Retry-After"), wall_now());
  std::string text = host + (response.status == 429
                                 ? " limits the rate of requests (429)"
                                 : fmt::format(" has an internal problem ({})", response.status));
  if (timeout.count() > 0) {
    text += " and asks to retry in " +
            human_duration(std::chrono::duration_cast<std::chrono::milliseconds>(timeout));
  }
  return Error{Errc::unavailable, with_message(std::move(text), response), "this is retried later",
               timeout};
}

std::string image_in_registry(const ImageReference& reference) {
  const bool hub = reference.registry == "docker.io";
  const std::string name = hub ? reference.familiar_name() : reference.repository;
  return reference.tag.empty() ? name + "@" + reference.digest : name + ":" + reference.tag;
}

std::string short_message(std::string_view text) {
  return std::string(trim(one_line(text.substr(0, max_message))));
}

std::string registry_message(std::string_view body) {
  const auto parsed = parse_json(body);
  if (!parsed) return {};
  const Json& errors = json_array(*parsed, "errors");
  const Json& first = errors.empty() ? *parsed : errors.front();
  for (const std::string_view key : {"message", "details", "code"})
    if (const auto text = json_string(first, key); !text.empty()) return short_message(text);
  return {};
}

Error refusal(const ImageReference& reference, const http::Response& response, bool login) {
  const auto& registry = reference.registry;
  if (response.status == 404) {
    return Error{Errc::not_found,
                 fmt::format("{} has no image {}", registry, image_in_registry(reference)),
                 "push it, or correct its name or tag in the compose file"};
  }
  if (response.status == 401 || response.status == 403) return denied(reference, response, login);
  return is_busy(response.status) ? busy(registry, response) : unexpected(registry, response);
}

Error token_refusal(const ImageReference& reference, const std::string& realm_host,
                    const http::Response& response, bool login) {
  if (is_busy(response.status)) return busy(realm_host, response);
  // Token servers refuse with various statuses: 400, 401, 403, 404.
  if (response.status / 100 != 4) return unexpected(realm_host, response);
  if (!login) return denied(reference, response, login);
  return Error{
      Errc::denied,
      with_message(fmt::format("the login for {} is refused", reference.registry), response),
      fmt::format("run `docker login {}` as root", reference.registry)};
}

}  // namespace trimtab
