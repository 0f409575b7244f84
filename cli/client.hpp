// The daemon's status socket (config/openapi.yaml), from the side of the command.
#pragma once

#include <functional>
#include <string>

#include "common/http_client.hpp"
#include "common/json.hpp"

namespace trimtab::cli {

// One request at a time. Errors are for people; their codes: unavailable or timed_out where the
// daemon does not answer, denied, not_found (stack, release), invalid, conflict (not in this
// state), failed.
class Client {
 public:
  explicit Client(std::string socket);

  Task<Result<Json>> get(std::string target, SteadyClock::duration timeout = usual);
  Task<Result<Json>> post(std::string target, Json body);

  // Gives the pieces of an endless answer to `on_chunk`, after `on_open` when it begins; ends when
  // the daemon ends it.
  Task<Result<void>> stream(std::string target, std::function<void()> on_open,
                            http::OnChunk on_chunk);

 private:
  static constexpr SteadyClock::duration usual = std::chrono::seconds(30);

  Task<Result<Json>> exchange(http::Request request, SteadyClock::duration timeout);
  [[nodiscard]] Error unreachable(const Error& error) const;

  std::string socket_;
  http::Connection connection_;
};

// What an answer other than 2xx says.
Error problem_error(const http::Response& response);

// "/v1/stacks/NAME" and what follows.
std::string stack_target(const std::string& stack, const std::string& rest = {});

// "there is no stack "shpo" (did you mean "shop"?)", with all names in the hint.
Error unknown_stack(const std::string& name, const Json& status);

}  // namespace trimtab::cli
