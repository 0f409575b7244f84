#include "agent/reconcile/heartbeats.hpp"

namespace trimtab {

std::string_view find_stalled(const Heartbeats& signs, SteadyClock::time_point now,
                              std::chrono::milliseconds silence) {
  const auto hangs = [&](SteadyClock::time_point sign) { return now - sign > silence; };
  if (!signs.is_queued && hangs(signs.reconciler)) return "its reconciliation";
  if (hangs(signs.git_watcher)) return "the watch of its Git remote";
  if (hangs(signs.image_watcher)) return "the watch of its images";
  return "";
}

}  // namespace trimtab
