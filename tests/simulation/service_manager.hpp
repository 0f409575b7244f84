// systemd of the simulated world, which outlives the daemon: it reads real unit files, and runs
// what they say. See systemd.unit(5), systemd.service(5), org.freedesktop.systemd1(5).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/units/units.hpp"
#include "common/json.hpp"
#include "tests/simulation/world.hpp"

namespace trimtab::simulation {

class ServiceManager {
 public:
  explicit ServiceManager(World& world);

  // ---- As systemctl(1) of that name, which does not wait. A start is refused where there is no
  // such unit.
  bool start(const std::string& name);
  void stop(const std::string& name);
  void restart(const std::string& name);
  void enable(const std::string& name);
  void disable(const std::string& name);
  void read_files();

  // The machine is booted again.
  void boot();
  // Of a unit, as it was read, or of Docker's.
  UnitState state(const std::string& name);
  // Nothing is queued for the unit, and nothing runs.
  [[nodiscard]] bool is_down(const std::string& name) const;
  // Nothing more is to be done for it.
  [[nodiscard]] bool is_active(const std::string& name) const;
  // It is down, and not because it failed to start.
  [[nodiscard]] bool is_stopped(const std::string& name) const;
  // Its file as it is now.
  [[nodiscard]] bool has_read(const std::string& name) const;
  // What is enabled is on the disk.
  void sync() const;
  [[nodiscard]] std::filesystem::path file(const std::string& name) const;

  // Whoever follows changes of units.
  std::function<void(const std::string& name, const std::string& active)> on_change;

 private:
  struct Unit {
    std::optional<std::string> text;  // of its file, when that was read
    std::string active = "inactive";
    bool starts = false;  // that is queued, or goes on
    bool failed_to_stop = false;
    int run = 0;  // of its commands, by which those that were cut off are known
    WallTime active_since;
  };
  // Of Compose, as the unit's Exec lines give them.
  struct Command {
    std::string project;
    std::filesystem::path directory;
    std::filesystem::path file;
  };

  Unit& read(const std::string& name);
  [[nodiscard]] std::filesystem::path link(const std::string& name) const;
  void change(const std::string& name, const std::string& active);
  void begin_start(const std::string& name);
  void end_start(const std::string& name, const std::string& problem);
  void end_stop(const std::string& name, const std::string& problem);
  // Has `what` happen after some time, unless the command was cut off.
  void go_on(const std::string& name, WorldTime least, WorldTime most, std::function<void()> what);
  void up(const std::string& name);
  void up_next(const std::string& name, Json model, Command command,
               std::vector<std::string> services);
  std::string converge(const Json& model, const Command& command, const std::string& service);
  void stop_next(const std::string& name, std::vector<std::string> containers);

  World& world_;
  std::map<std::string, Unit> units_;
  int runs_ = 0;
};

}  // namespace trimtab::simulation
