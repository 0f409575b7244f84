#include "agent/git/smart_http.hpp"

#include <utility>

#include "agent/git/git_errors.hpp"
#include "common/log.hpp"

namespace trimtab {

namespace {

constexpr std::chrono::seconds question_time{30};
constexpr std::chrono::hours program_time{1};
// Enough for several hundred thousand tags.
constexpr std::size_t max_answer = 16 * 1024 * 1024;

// The URL below which the repository's services are found.
Result<http::Url> base_of(const Remote& remote) {
  if (remote.protocol == GitProtocol::ssh) return Error{Errc::invalid, "it is asked over SSH", {}};
  if (remote.protocol == GitProtocol::local) return Error{Errc::invalid, "it is a path", {}};
  auto url = http::parse_url(remote.url);
  if (!url || url->target.find('?') != std::string::npos) {
    return Error{Errc::invalid, "its URL has an unusual form", {}};
  }
  while (url->target.ends_with('/')) url->target.pop_back();
  return url;
}

bool is_beyond_us(const Error& error) {
  return error.code == Errc::invalid || error.code == Errc::too_large;
}

}  // namespace

SmartHttp::SmartHttp(GitAccess access, Remote remote)
    : access_(std::move(access)), remote_(std::move(remote)), url_(base_of(remote_)) {
  if (url_) return;
  program_until_ = SteadyClock::time_point::max();
  transport_ = "git program: " + url_.error().message;
}

Task<Result<std::optional<std::vector<AdvertisedRef>>>> SmartHttp::list(std::string prefix) {
  std::optional<Refs> found;
  if (SteadyClock::now() < program_until_) co_return found;
  auto authorization = web_authorization(access_, remote_);
  if (!authorization) co_return authorization.error();

  const bool knew_server = server_.has_value();
  auto refs = co_await ask(prefix, *authorization);
  if (!refs && is_beyond_us(refs.error()) && knew_server) {
    // The server may have been replaced by another one: repeat the discovery once.
    server_.reset();
    refs = co_await ask(prefix, *authorization);
  }
  if (!refs && is_beyond_us(refs.error())) {
    leave_to_program(refs.error().message);
    co_return found;
  }
  if (!refs) co_return refs.error();
  transport_ = url_->tls ? "https, protocol 2" : "http, protocol 2";
  found = std::move(*refs);
  co_return found;
}

void SmartHttp::leave_to_program(const std::string& why) {
  server_.reset();
  kept_.reset();
  program_until_ = SteadyClock::now() + program_time;
  const std::string before = std::exchange(transport_, "git program: " + why);
  if (transport_ != before)
    spdlog::info("{} is queried with the git program: {}", remote_.url, why);
}

Task<Result<SmartHttp::Refs>> SmartHttp::ask(std::string prefix, std::string authorization) {
  if (!server_) {
    auto discovered = co_await discover(authorization);
    if (!discovered) co_return discovered.error();
    server_ = std::move(*discovered);
  }
  const Advertisement server = *server_;
  http::Request request;
  request.method = "POST";
  request.target = url_->target + "/git-upload-pack";
  request.headers.emplace_back("Content-Type", "application/x-git-upload-pack-request");
  request.body = ls_refs_request(server, prefix);
  std::string answer_type = "application/x-git-upload-pack-result";
  auto body =
      co_await exchange(std::move(request), std::move(answer_type), std::move(authorization));
  if (!body) co_return body.error();
  co_return parse_refs(*body, server);
}

Task<Result<Advertisement>> SmartHttp::discover(std::string authorization) {
  http::Request request;
  request.target = url_->target + "/info/refs?service=git-upload-pack";
  std::string answer_type = "application/x-git-upload-pack-advertisement";
  auto body =
      co_await exchange(std::move(request), std::move(answer_type), std::move(authorization));
  if (!body) co_return body.error();
  co_return parse_advertisement(*body);
}

Task<Result<std::string>> SmartHttp::exchange(http::Request request, std::string content_type,
                                              std::string authorization) {
  request.headers.emplace_back("Git-Protocol", "version=2");
  request.headers.emplace_back("Accept", content_type);
  if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
  http::Limits limits;
  limits.body_bytes = max_answer;
  limits.timeout = question_time;

  auto used = std::exchange(kept_, std::nullopt);
  if (!used) {
    auto made = connection();
    if (!made) co_return made.error();
    used = std::move(*made);
  }
  auto response = co_await used->exchange(std::move(request), limits);
  if (!response) co_return explain_connection_failure(response.error(), remote_, access_);
  kept_ = std::move(used);
  if (response->status != 200) {
    server_.reset();
    co_return explain_status(*response, remote_, access_);
  }
  if (response->header("Content-Type") != content_type) {
    co_return Error{Errc::invalid, "it does not support Git's smart protocol", {}};
  }
  co_return std::move(response->body);
}

Result<http::Connection> SmartHttp::connection() const {
  http::TlsTrust trust;
  if (!access_.ca_file.empty()) trust.ca_files = {access_.ca_file.string()};
  auto endpoint = http::endpoint_for(*url_, access_.proxies, std::move(trust));
  if (!endpoint) return endpoint.error();
  return http::Connection(std::move(*endpoint));
}

}  // namespace trimtab
