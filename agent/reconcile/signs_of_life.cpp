#include "agent/reconcile/signs_of_life.hpp"

namespace trimtab {
namespace {

// Longer than any step may take: each command and request has a limit of its own below it.
constexpr std::chrono::minutes longest_silence{20};

}  // namespace

std::string_view what_hangs(const SignsOfLife& signs, SteadyClock::time_point now) {
  const auto hangs = [&](SteadyClock::time_point sign) { return now - sign > longest_silence; };
  if (!signs.waits_for_turn && hangs(signs.reconciler)) return "its reconciliation";
  if (hangs(signs.git_watcher)) return "the watch of its Git remote";
  if (hangs(signs.image_watcher)) return "the watch of its images";
  return "";
}

}  // namespace trimtab
