#include "agent/execute/probe.hpp"

#include <fmt/core.h>

#include "common/http_client.hpp"
#include "common/url.hpp"

namespace trimtab {

Task<ProbeAnswer> probe(ProbeSettings settings) {
  ProbeAnswer answer;
  answer.url = settings.url;
  const Result<http::Url> url = http::parse_url(settings.url);
  if (!url) {
    answer.what = url.error().message;
    co_return answer;
  }
  const http::Endpoint endpoint{{}, url->host, url->port, url->tls, {}};
  http::Connection connection(endpoint);
  http::Request request;
  request.target = url->target;
  http::Limits limits;
  limits.body_bytes = 1024 * 1024;
  limits.timeout = std::chrono::seconds(5);
  const Result<http::Response> response = co_await connection.exchange(request, limits);
  if (!response) {
    answer.what = response.error().message;
  } else {
    answer.ok = response->status == settings.status;
    answer.what = fmt::format("answers {} instead of {}", response->status, settings.status);
  }
  co_return answer;
}

}  // namespace trimtab
