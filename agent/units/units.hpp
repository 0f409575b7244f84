// The interface to the host's service manager.
#pragma once

#include <functional>
#include <string>

#include "common/async.hpp"
#include "common/text.hpp"

namespace trimtab {

inline constexpr const char* docker_unit = "docker.service";

// A unit as the service manager sees it, in its own words.
struct UnitState {
  std::string load;             // loaded, not-found, masked, …
  std::string active;           // active, inactive, failed, activating, deactivating, reloading
  std::string file;             // its unit file's path, "" if it has none
  std::string enabled;          // enabled, disabled, …; "" if it has no file
  bool has_job = false;         // a start, stop or the like is queued
  bool failed_to_stop = false;  // if it failed: while stopping, not while starting
  WallTime active_since;        // when it last became active

  friend bool operator==(const UnitState&, const UnitState&) = default;
};

class Units {
 public:
  virtual ~Units() = default;
  // Returns the unit's state. A unit that does not exist is no error: its `load` is not-found.
  virtual Task<Result<UnitState>> state(std::string unit) = 0;
  // Makes the service manager read all unit files again (daemon-reload).
  virtual Task<Result<void>> reload() = 0;
  // Enables the unit: it is started at boot.
  virtual Task<Result<void>> enable(std::string unit) = 0;
  // Disables the unit: it is no longer started at boot. Does not stop it.
  virtual Task<Result<void>> disable(std::string unit) = 0;
  // Queues a start of the unit, also of one that failed, and does not wait for it.
  virtual Task<Result<void>> start(std::string unit) = 0;
  // Watches the unit until unwatch(): the loop calls `changed` with each new ActiveState, and with
  // "" when changes may have been missed. One watcher per unit.
  virtual void watch(std::string unit, std::function<void(std::string active)> changed) = 0;
  // Ends the watch; may be called from within `changed`.
  virtual void unwatch(const std::string& unit) = 0;
};

}  // namespace trimtab
