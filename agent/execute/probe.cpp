#include "agent/execute/probe.hpp"

#include <charconv>

#include "common/http_client.hpp"

namespace trimtab {
namespace {

struct UrlParts {
  http::Endpoint endpoint;
  std::string path;
};

// The configuration has checked the URL already: scheme://host[:port][/path].
UrlParts split_url(std::string_view url) {
  UrlParts parts;
  parts.endpoint.tls = url.substr(0, 8) == "https://";
  parts.endpoint.port = parts.endpoint.tls ? 443 : 80;
  url.remove_prefix(url.find("://") + 3);
  const auto slash = url.find('/');
  parts.path = slash == std::string_view::npos ? "/" : std::string(url.substr(slash));
  std::string_view authority = url.substr(0, slash);
  const auto bracket = authority.find(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    std::from_chars(port.data(), port.data() + port.size(), parts.endpoint.port);
    authority = authority.substr(0, colon);
  }
  if (!authority.empty() && authority.front() == '[') {
    authority = authority.substr(1, authority.size() - 2);
  }
  parts.endpoint.host = std::string(authority);
  return parts;
}

}  // namespace

Task<ProbeAnswer> probe(ProbeSettings settings) {
  UrlParts parts = split_url(settings.url);
  http::Connection connection(parts.endpoint);
  http::Request request;
  request.target = parts.path;
  http::Limits limits;
  limits.body_bytes = 1024 * 1024;
  limits.timeout = std::chrono::seconds(5);
  const Result<http::Response> response = co_await connection.exchange(request, limits);
  ProbeAnswer answer;
  answer.url = settings.url;
  if (!response) {
    answer.what = response.error().message;
  } else {
    answer.ok = response->status == settings.status;
    answer.what = "answers " + std::to_string(response->status) + " instead of " +
                  std::to_string(settings.status);
  }
  co_return answer;
}

}  // namespace trimtab
