#include "tests/simulation/units.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

}  // namespace

SimulatedUnits::SimulatedUnits(World& world, ServiceManager& systemd)
    : world_(world), systemd_(systemd) {
  systemd_.on_change = [this](const std::string& unit, const std::string& active) {
    publish(unit, active);
  };
}

void SimulatedUnits::publish(const std::string& unit, const std::string& active) {
  was_lost_ = was_lost_ || world_.faults.systemd_away;
  const auto found = watched_.find(unit);
  if (found == watched_.end() || world_.faults.systemd_away) return;
  const auto changed = found->second;
  changed(active);
}

Task<Result<void>> SimulatedUnits::call(WorldTime least, WorldTime most,
                                        std::function<void()> what) {
  if (world_.faults.systemd_away) {
    const Result<void> waited = co_await world_.answer(1s, 10s);
    if (!waited) co_return waited;
    co_return Error{Errc::timed_out, "systemd does not answer", {}};
  }
  const WorldTime takes = world_.between(least, most);
  if (what) world_.after(takes, std::move(what));
  co_return co_await world_.answer(takes, takes);
}

Task<Result<UnitState>> SimulatedUnits::state(std::string unit) {
  const Result<void> called = co_await call(1ms, 10ms, nullptr);
  if (!called) co_return called.error();
  if (std::exchange(was_lost_, false)) publish(unit, "");
  co_return systemd_.state(unit);
}

Task<Result<void>> SimulatedUnits::reload() {
  const std::function<void()> what = [this] { systemd_.read_files(); };
  co_return co_await call(50ms, 500ms, what);
}

Task<Result<void>> SimulatedUnits::enable(std::string unit) {
  const std::function<void()> what = [this, unit] { systemd_.enable(unit); };
  co_return co_await call(5ms, 50ms, what);
}

Task<Result<void>> SimulatedUnits::disable(std::string unit) {
  const std::function<void()> what = [this, unit] { systemd_.disable(unit); };
  co_return co_await call(5ms, 50ms, what);
}

Task<Result<void>> SimulatedUnits::start(std::string unit) {
  const auto found = std::make_shared<bool>(true);
  const std::function<void()> what = [this, unit, found] { *found = systemd_.start(unit); };
  const Result<void> called = co_await call(1ms, 10ms, what);
  if (!called || *found) co_return called;
  co_return Error{Errc::not_found, "Unit " + unit + " not found.", {}};
}

void SimulatedUnits::watch(std::string unit, std::function<void(std::string active)> changed) {
  watched_[std::move(unit)] = std::move(changed);
}

void SimulatedUnits::unwatch(const std::string& unit) {
  watched_.erase(unit);
}

}  // namespace trimtab::simulation
