// What goes on for as long as something happens: the status as it changes, a request to its end.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "cli/client.hpp"
#include "cli/terminal.hpp"

namespace trimtab::cli {

// The daemon's events as wake-ups: what has happened is then read from the other routes, so that an
// event that got lost costs a moment and nothing else. Reconnects for ever.
class EventFeed {
 public:
  // Of one stack, or (empty) of all.
  EventFeed(asio::any_io_executor executor, std::string socket, const std::string& stack);

  Task<void> run();
  // Completes at the next event, or at the deadline.
  Task<bool> wait_until(SteadyClock::time_point deadline) { return wake_.wait_until(deadline); }
  void notify() { wake_.notify(); }
  // The event that ended this request, if it has come.
  [[nodiscard]] std::optional<Json> finished(const std::string& request) const;

 private:
  void take(std::string_view type, std::string_view data);

  std::string socket_;
  std::string target_;
  WakeEvent wake_;
  std::map<std::string, Json> finished_;
};

// Shows the status (of `stack`, or of all) until the program is ended: drawn over in place on a
// terminal, else a line for each change. Returns only if the first look fails.
Task<Error> watch_status(Client& client, EventFeed& feed, Terminal& terminal, std::string stack);

// How a request ended.
struct Ending {
  Json request;  // {"id", "outcome", "release", "message"}
  Json release;  // empty if none belongs to it
};

// Follows a request of an operator to its end, past restarts of the daemon, and shows how it goes.
// Ends early with Errc::cancelled if `interrupted` becomes true (then notify the feed).
Task<Result<Ending>> follow_request(Client& client, EventFeed& feed, Terminal& terminal,
                                    std::string stack, std::string request,
                                    const bool& interrupted);

}  // namespace trimtab::cli
