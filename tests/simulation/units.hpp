// systemd of the simulated world, behind the daemon's seam.
#pragma once

#include "agent/units/units.hpp"
#include "tests/simulation/service_manager.hpp"

namespace trimtab::simulation {

class SimulatedUnits final : public Units {
 public:
  explicit SimulatedUnits(World& world, ServiceManager& systemd);

  Task<Result<UnitState>> state(std::string unit) override;
  Task<Result<void>> reload() override;
  Task<Result<void>> enable(std::string unit) override;
  Task<Result<void>> disable(std::string unit) override;
  Task<Result<void>> start(std::string unit) override;
  void watch(std::string unit, std::function<void(std::string active)> changed) override;
  void unwatch(const std::string& unit) override;

 private:
  // The time that a call takes, at the end of which systemd has done it, whoever asked for it.
  Task<Result<void>> call(WorldTime least, WorldTime most, std::function<void()> what);
  void publish(const std::string& unit, const std::string& active);

  World& world_;
  ServiceManager& systemd_;
  std::map<std::string, std::function<void(std::string active)>> watched_;
  bool was_lost_ = false;  // the connection, and with it what changed
};

}  // namespace trimtab::simulation
