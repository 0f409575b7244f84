#include "agent/reconcile/events.hpp"

#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr std::size_t kept_events = 200;
constexpr std::size_t max_queue = 500;

}  // namespace

EventBus::Follower::Follower(asio::any_io_executor executor, EventBus& bus)
    : bus_(bus), wake_(std::move(executor)) {
  bus_.followers_.push_back(this);
}

EventBus::Follower::~Follower() {
  bus_.followers_.remove(this);
}

Task<std::optional<AgentEvent>> EventBus::Follower::next(SteadyClock::time_point deadline) {
  while (queue_.empty()) {
    const bool notified = co_await wake_.wait_until(deadline);
    if (!notified) co_return std::nullopt;
  }
  AgentEvent event = std::move(queue_.front());
  queue_.pop_front();
  co_return event;
}

void EventBus::publish(std::string type, std::string stack, Json data) {
  Json whole;
  whole["at"] = format_time(wall_now());
  whole["stack"] = stack;
  whole["type"] = type;
  whole.update(data);
  for (const char* member : {"release", "phase"}) {
    if (!whole.contains(member)) whole[member] = nullptr;
  }
  if (!whole.contains("message")) whole["message"] = "";
  AgentEvent event{std::move(type), std::move(stack), dump_json(whole)};
  for (Follower* follower : followers_) {
    if (follower->queue_.size() >= max_queue) {
      follower->lost_ = true;
      continue;
    }
    follower->queue_.push_back(event);
    follower->wake_.notify();
  }
  // Pull progress is of no interest afterwards.
  if (event.type == "pull") return;
  recent_.push_back(std::move(event));
  if (recent_.size() > kept_events) recent_.pop_front();
}

std::vector<AgentEvent> EventBus::recent(std::size_t count, const std::string& stack) const {
  std::vector<AgentEvent> chosen;
  for (const AgentEvent& event : recent_) {
    if (stack.empty() || event.stack == stack) chosen.push_back(event);
  }
  if (chosen.size() > count) {
    chosen.erase(chosen.begin(), chosen.end() - static_cast<std::ptrdiff_t>(count));
  }
  return chosen;
}

}  // namespace trimtab
