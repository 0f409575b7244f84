#include "agent/execute/probation.hpp"

#include <algorithm>

#include "agent/plan/diff.hpp"

namespace trimtab {
namespace {

constexpr auto confirmation = std::chrono::seconds(2);
constexpr auto indefinitely = std::chrono::hours(24 * 365);
// Exit codes after SIGKILL and SIGTERM: somebody stopped the process, or Docker did.
constexpr int killed = 128 + 9;
constexpr int terminated = 128 + 15;

std::set<std::string> made_by(const ReleaseRecord& release, const ReleaseRecord& before) {
  std::set<std::string> made;
  for (const auto& [service, ids] : release.seen) {
    if (release.jobs.contains(service)) continue;
    made.insert(ids.begin(), ids.end());
  }
  for (const auto& [service, ids] : before.seen) {
    for (const std::string& id : ids) made.erase(id);
  }
  return made;
}

GateDemand demand_for(const ReleaseRecord& release, const std::set<std::string>& made) {
  GateDemand demand;
  for (const auto& [service, ids] : release.seen) {
    const bool own = std::any_of(ids.begin(), ids.end(),
                                 [&](const std::string& id) { return made.contains(id); });
    if (own) demand.services[service];
  }
  // Earlier restarts do not count, and a container that is merely not ready may take its time.
  demand.untouched = made;
  demand.timeout = indefinitely;
  return demand;
}

bool has_ended(const Container& container) {
  return container.state == ContainerState::exited || container.state == ContainerState::dead;
}

bool ended_from_outside(const Container& container, const std::set<std::string>& stopped) {
  if (!has_ended(container)) return false;
  return stopped.contains(container.id) || is_stopped_manually(container) ||
         container.exit_code == killed || container.exit_code == terminated;
}

}  // namespace

Probation::Probation(const ReleaseRecord& release, const ReleaseRecord& before, bool seen_by_gate,
                     SteadyClock::time_point now)
    : release_(release.number),
      made_(made_by(release, before)),
      demand_(demand_for(release, made_)),
      gate_(demand_, now) {
  if (seen_by_gate) seen_running_ = made_;
}

// Also remembers what is running.
bool Probation::others_are_down(const std::vector<Container>& containers) {
  bool down = false;
  for (const Container& container : containers) {
    const bool runs = container.state == ContainerState::running;
    const bool ran = seen_running_.contains(container.id);
    const bool already_failing =
        !runs || container.health == Health::unhealthy || container.health == Health::starting;
    if (!made_.contains(container.id) && ran && already_failing) down = true;
    if (runs) seen_running_.insert(container.id);
  }
  return down;
}

void Probation::forget_what_was(SteadyClock::time_point now) {
  recovering_ = made_;
  gate_ = Gate(demand_, now);
}

std::optional<Failure> Probation::observe(const std::vector<Container>& containers,
                                          const std::set<std::string>& stopped,
                                          SteadyClock::time_point now) {
  const bool exempt_services = others_are_down(containers);
  if (exempt_services) forget_what_was(now);
  std::vector<Container> judged;
  for (const Container& container : containers) {
    const bool well = container.state == ContainerState::running &&
                      (container.health == Health::none || container.health == Health::healthy);
    if (well && !exempt_services) recovering_.erase(container.id);
    const bool counts = made_.contains(container.id) && seen_running_.contains(container.id) &&
                        !recovering_.contains(container.id);
    if (counts && !ended_from_outside(container, stopped)) judged.push_back(container);
  }
  const GateVerdict verdict = gate_.observe(judged, {}, now);
  const bool broken =
      verdict.state == GateVerdict::State::failed && verdict.cause == FailureCause::release;
  if (!broken) {
    broken_since_.reset();
    return std::nullopt;
  }
  if (!broken_since_) broken_since_ = now;
  if (now - *broken_since_ < confirmation) return std::nullopt;
  Failure failure;
  failure.phase = "probation";
  failure.reason = "on probation: " + verdict.reason;
  failure.services = verdict.services;
  return failure;
}

std::chrono::milliseconds probation_left(WallTime until, WallTime now,
                                         std::chrono::milliseconds whole) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - now);
  return std::clamp(left, std::chrono::milliseconds(0), whole);
}

std::optional<SteadyClock::time_point> Probation::next_poll_at() const {
  if (!broken_since_) return std::nullopt;
  return *broken_since_ + confirmation;
}

}  // namespace trimtab
