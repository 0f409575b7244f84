#include "agent/model/health_check.hpp"

#include <algorithm>

namespace trimtab {
namespace {

constexpr std::chrono::milliseconds default_interval = std::chrono::seconds(30);

}  // namespace

std::chrono::milliseconds health_known_after(const HealthCheck& check) {
  const auto interval = check.interval.count() > 0 ? check.interval : default_interval;
  if (check.start_period.count() <= 0) return interval;
  if (check.start_interval.count() > 0) return check.start_period + check.start_interval;
  // First check at or after the end of the start period.
  const auto checks = (check.start_period + interval - std::chrono::milliseconds(1)) / interval;
  return interval * std::max<std::chrono::milliseconds::rep>(checks, 1);
}

}  // namespace trimtab
