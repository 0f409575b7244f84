#include "agent/execute/probe.hpp"

#include <charconv>

#include "common/http_client.hpp"

namespace trimtab {
namespace {

struct Target {
  http::Endpoint endpoint;
  std::string path;
};

// The configuration has checked the URL already: scheme://host[:port][/path].
Target split_url(std::string_view url) {
  Target target;
  target.endpoint.tls = url.substr(0, 8) == "https://";
  target.endpoint.port = target.endpoint.tls ? 443 : 80;
  url.remove_prefix(url.find("://") + 3);
  const auto slash = url.find('/');
  target.path = slash == std::string_view::npos ? "/" : std::string(url.substr(slash));
  std::string_view authority = url.substr(0, slash);
  const auto bracket = authority.find(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    std::from_chars(port.data(), port.data() + port.size(), target.endpoint.port);
    authority = authority.substr(0, colon);
  }
  if (!authority.empty() && authority.front() == '[') {
    authority = authority.substr(1, authority.size() - 2);
  }
  target.endpoint.host = std::string(authority);
  return target;
}

}  // namespace

Task<ProbeAnswer> probe(ProbeSettings settings) {
  Target target = split_url(settings.url);
  http::Connection connection(target.endpoint);
  http::Request request;
  request.target = target.path;
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
