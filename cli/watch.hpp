// Follows changes as they happen: the status, or a request until it ends.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "cli/client.hpp"
#include "cli/terminal.hpp"

namespace trimtab::cli {

// Turns the daemon's events into wake-ups. What happened is then read from the other routes, so a
// lost event only costs a moment. Reconnects indefinitely.
class EventFeed {
 public:
  // Follows one stack or, if empty, all of them.
  EventFeed(asio::any_io_executor executor, std::string socket, const std::string& stack);

  Task<void> run();
  // Completes at the next event (true) or at the deadline (false).
  Task<bool> wait_until(SteadyClock::time_point deadline) { return wake_.wait_until(deadline); }
  void notify() { wake_.notify(); }
  // The event that ended this request, if it has arrived.
  [[nodiscard]] std::optional<Json> finished(const std::string& request) const;

 private:
  void take(std::string_view type, std::string_view data);

  std::string socket_;
  std::string target_;
  WakeEvent wake_;
  std::map<std::string, Json> finished_;
};

// Shows the status (of `stack`, or of all) until the program is interrupted: redrawn in place on a
// terminal, otherwise one line per change. Returns only if the first query fails, or the daemon
// answers with an error later.
Task<Error> watch_status(Client& client, EventFeed& feed, Terminal& terminal, std::string stack);

// The result of a request.
struct Ending {
  Json request;  // {"id", "outcome", "release", "message"}
  Json release;  // empty if the request has no release
};

// Follows an operator's request until it ends, across restarts of the daemon, and shows its
// progress. Returns Errc::cancelled once `interrupted` is true (notify the feed after setting it).
Task<Result<Ending>> follow_request(Client& client, EventFeed& feed, Terminal& terminal,
                                    std::string stack, std::string request,
                                    const bool& interrupted);

}  // namespace trimtab::cli
