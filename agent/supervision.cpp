#include "agent/supervision.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/api/stack_json.hpp"
#include "agent/notify/service_manager.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr auto status_interval = std::chrono::seconds(10);

}  // namespace

std::string status_line(const ManagedStacks& stacks) {
  if (stacks.reconcilers().empty() && stacks.unavailable().empty()) {
    return "no stack is configured";
  }
  std::vector<std::string> words;
  for (const auto& [name, stack] : stacks.unavailable())
    words.push_back(fmt::format("{}: failed: {}", name, stack.error.message));
  for (const auto& [name, stack] : stacks.reconcilers())
    words.push_back(stack_line(stack_json(*stack), wall_now()));
  return join(words, "; ");
}

std::string find_stalled_part(const ManagedStacks& stacks) {
  if (!stacks.has_started()) return {};
  const auto silence = time_in_tests("TRIMTAB_LONGEST_SILENCE_MS", stall_timeout);
  for (const auto& [name, stack] : stacks.reconcilers()) {
    const auto part = find_stalled(stack->heartbeats(), SteadyClock::now(), silence);
    if (!part.empty()) return fmt::format("{}: {}", name, part);
  }
  return {};
}

Task<void> report_to_service_manager(const ManagedStacks& stacks) {
  service_manager::notify_ready(status_line(stacks));
  std::chrono::microseconds interval = status_interval;
  if (const auto watchdog = service_manager::watchdog_interval()) {
    interval = std::min(interval, *watchdog / 3);
  }
  std::string reported;
  for (;;) {
    const Result<void> slept = co_await sleep_for(interval);
    if (!slept) co_return;
    const std::string stalled = find_stalled_part(stacks);
    if (stalled.empty()) service_manager::feed_watchdog();
    if (!stalled.empty()) spdlog::critical("{} is stalled: the watchdog is no longer fed", stalled);
    const std::string line = status_line(stacks);
    if (line != reported) service_manager::notify_status(line);
    reported = line;
  }
}

}  // namespace trimtab
