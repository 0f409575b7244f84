// Receives push notifications, so that a push is noticed immediately instead of at the next poll.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/settings.hpp"
#include "common/async.hpp"
#include "common/http_server.hpp"
#include "common/text.hpp"

namespace trimtab {

class HookCall;
struct HookRefusal;

// More than 15 members: listening, answering and limiting refused calls share the state of one
// listener.
class Webhook {
 public:
  // The stacks that a call can wake.
  struct Stacks {
    std::function<std::vector<std::string>()> names;
    std::function<void(const std::string&)> poll_now;  // does nothing if the stack is gone
  };

  Webhook(asio::any_io_executor executor, DaemonSettings::Webhook settings, Stacks stacks);
  // Starts listening, retrying until stop() if that fails.
  void start();
  // Completes when none of its tasks run any more; the object may then be destroyed.
  Task<void> stop();

  [[nodiscard]] const DaemonSettings::Webhook& settings() const { return settings_; }
  // Why calls are not accepted, for the user; "" if they are.
  [[nodiscard]] std::string error() const;
  // When the last authenticated call arrived.
  [[nodiscard]] std::optional<WallTime> called_at() const { return called_at_; }

 private:
  struct Look {
    SteadyClock::time_point at;
    bool again = false;  // another poll is scheduled
  };
  Task<void> listen();
  Result<std::string> read_secret();
  http::BodySink receive(const http::Request& head);
  http::Response answer(HookCall& call);
  http::Response refuse(const HookRefusal& refusal);
  void wake(const std::string& stack);
  Task<void> poll_later(std::string stack, SteadyClock::duration wait);
  void poll(const std::string& stack);

  asio::any_io_executor executor_;
  DaemonSettings::Webhook settings_;
  Stacks stacks_;
  TaskGroup tasks_;
  std::unique_ptr<http::Server> server_;
  std::optional<Error> listen_error_;
  std::optional<Error> secret_error_;
  std::optional<WallTime> called_at_;
  std::map<std::string, Look> polls_;
  // Rate of unauthenticated calls.
  SteadyClock::time_point second_began_;
  int refused_in_second_ = 0;
  std::optional<SteadyClock::time_point> warned_at_;
  int refused_since_warning_ = 0;
};

}  // namespace trimtab
