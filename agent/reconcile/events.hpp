// The event streams of the status socket.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "common/async.hpp"
#include "common/json.hpp"

namespace trimtab {

// One event. `type` is one of state, phase, pull, service, log, release, facts, finished; `data` is
// the object that clients get, as JSON text: a parsed one takes five times the memory.
struct AgentEvent {
  std::string type;
  std::string stack;
  std::string data;
};

// Keeps the newest events and passes each to all followers. A follower that does not keep up loses
// events, and learns that it did.
class EventBus {
 public:
  class Follower {
   public:
    Follower(asio::any_io_executor executor, EventBus& bus);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    // The next event, or nothing when `deadline` passed. `lost()` is true once events were dropped.
    Task<std::optional<AgentEvent>> next(SteadyClock::time_point deadline);
    [[nodiscard]] bool lost() const { return lost_; }

   private:
    friend class EventBus;
    EventBus& bus_;
    std::deque<AgentEvent> queue_;
    WakeEvent wake_;
    bool lost_ = false;
  };

  // Adds "at", "stack" and "type" to the event's data.
  void publish(std::string type, std::string stack, Json data);
  // The newest `count` events of the stack, or of all with "", the oldest first.
  [[nodiscard]] std::vector<AgentEvent> recent(std::size_t count, const std::string& stack) const;

 private:
  std::deque<AgentEvent> recent_;
  std::list<Follower*> followers_;
};

}  // namespace trimtab
