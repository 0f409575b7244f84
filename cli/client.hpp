// Client for the daemon's status socket (config/openapi.yaml).
#pragma once

#include <functional>
#include <string>

#include "common/http_client.hpp"
#include "common/json.hpp"

namespace trimtab::cli {

// Sends one request at a time. Errors are written for the user. Codes: unavailable or timed_out if
// the daemon does not answer, denied, not_found (stack, release), invalid, conflict (not possible
// in this state), failed.
class Client {
 public:
  explicit Client(std::string socket);

  Task<Result<Json>> get(std::string target, SteadyClock::duration timeout = usual);
  Task<Result<Json>> post(std::string target, Json body);

  // Passes the pieces of a streamed response to `on_chunk`, after calling `on_open` when it begins.
  // Completes when the daemon ends the stream.
  Task<Result<void>> stream(std::string target, std::function<void()> on_open,
                            http::OnChunk on_chunk);

 private:
  static constexpr SteadyClock::duration usual = std::chrono::seconds(30);

  Task<Result<Json>> exchange(http::Request request, SteadyClock::duration timeout);
  [[nodiscard]] Error unreachable(const Error& error) const;

  std::string socket_;
  http::Connection connection_;
};

// Converts a response with a status other than 2xx.
Error problem_error(const http::Response& response);

// Returns "/v1/stacks/NAME" followed by `rest`.
std::string stack_target(const std::string& stack, const std::string& rest = {});

// The error 'there is no stack "shpo" (did you mean "shop"?)', with all names in the hint.
Error unknown_stack(const std::string& name, const Json& status);

}  // namespace trimtab::cli
