#include "cli/client.hpp"

#include <fmt/core.h>

#include <utility>

#include "cli/exit_code.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab::cli {

namespace {

http::Endpoint endpoint_of(const std::string& socket) {
  http::Endpoint endpoint;
  endpoint.unix_path = socket;
  return endpoint;
}

Errc code_of(int status) {
  switch (status) {
    case 400:
    case 405:
    case 413:
    case 422:
      return Errc::invalid;
    case 401:
    case 403:
      return Errc::denied;
    case 404:
      return Errc::not_found;
    case 409:
      return Errc::conflict;
    default:
      return Errc::failed;
  }
}

}  // namespace

int exit_code(Errc code) {
  switch (code) {
    case Errc::unavailable:
    case Errc::timed_out:
      return exit_no_answer;
    case Errc::invalid:
    case Errc::not_found:
      return exit_usage;
    default:
      return exit_failed;
  }
}

Error problem_error(const http::Response& response) {
  const auto document = parse_json(response.body);
  std::string detail = document ? json_string(*document, "detail") : std::string();
  if (detail.empty() && document) detail = json_string(*document, "title");
  if (detail.empty()) detail = fmt::format("trimtabd answers {}", response.status);
  const std::string hint = document ? json_string(*document, "hint") : std::string();
  return Error{code_of(response.status), std::move(detail), hint};
}

std::string stack_target(const std::string& stack, const std::string& rest) {
  return fmt::format("/v1/stacks/{}{}", http::percent_encode(stack), rest);
}

Error unknown_stack(const std::string& name, const Json& status) {
  std::vector<std::string> names;
  for (const Json& stack : json_array(status, "stacks"))
    names.push_back(json_string(stack, "name"));
  std::string message = fmt::format("there is no stack \"{}\"", name);
  const auto meant = nearest(name, names);
  if (meant) message += fmt::format(" (did you mean \"{}\"?)", *meant);
  return Error{Errc::not_found, std::move(message),
               names.empty() ? "no stack is configured: each has a file stacks.d/NAME.yaml"
                             : "there are: " + join(names, ", ")};
}

Client::Client(std::string socket)
    : socket_(std::move(socket)), connection_(endpoint_of(socket_)) {}

Error Client::unreachable(const Error& error) const {
  if (error.code == Errc::denied) {
    return Error{Errc::unavailable, "access to trimtabd is denied at " + socket_,
                 "use sudo, or join its group and log in again: sudo usermod -aG trimtab $USER"};
  }
  if (error.code == Errc::unavailable || error.code == Errc::timed_out) {
    return Error{error.code,
                 fmt::format("trimtabd does not answer at {}: {}", socket_, error.message),
                 "is it running? (systemctl status trimtabd)"};
  }
  return error.context("trimtabd at " + socket_);
}

Task<Result<Json>> Client::exchange(http::Request request, SteadyClock::duration timeout) {
  http::Limits limits;
  limits.timeout = timeout;
  const auto response = co_await connection_.exchange(std::move(request), limits);
  if (!response) co_return unreachable(response.error());
  // The socket's mode may let in who is not in its group.
  if (response->status == 403) co_return unreachable(Error{Errc::denied, {}, {}});
  if (response->status < 200 || response->status > 299) co_return problem_error(*response);
  auto value = parse_json(response->body);
  if (!value) co_return value.error().context("trimtabd's answer");
  co_return std::move(value);
}

Task<Result<Json>> Client::get(std::string target, SteadyClock::duration timeout) {
  http::Request request;
  request.target = std::move(target);
  co_return co_await exchange(std::move(request), timeout);
}

Task<Result<Json>> Client::post(std::string target, Json body) {
  http::Request request;
  request.method = "POST";
  request.target = std::move(target);
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = dump_json(body);
  co_return co_await exchange(std::move(request), usual);
}

Task<Result<void>> Client::stream(std::string target, std::function<void()> on_open,
                                  http::OnChunk on_chunk) {
  http::Request request;
  request.target = std::move(target);
  const http::Limits limits;
  const auto response =
      co_await connection_.stream(std::move(request), limits, SteadyClock::duration::max(),
                                  std::move(on_open), std::move(on_chunk));
  if (!response) co_return unreachable(response.error());
  if (response->status < 200 || response->status > 299) co_return problem_error(*response);
  co_return Result<void>();
}

}  // namespace trimtab::cli
