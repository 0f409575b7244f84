// The seam to the host's service manager.
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
  std::string file;             // where it was read from, "" where it has no file
  std::string enabled;          // enabled, disabled, …; "" where it has no file
  bool has_job = false;         // something is about to be done with it
  bool failed_to_stop = false;  // where it failed: when it was to end, not when it was to start
  WallTime active_since;        // the last time that it became active

  friend bool operator==(const UnitState&, const UnitState&) = default;
};

class Units {
 public:
  virtual ~Units() = default;
  // Of a unit that does not exist too: load says not-found then.
  virtual Task<Result<UnitState>> state(std::string unit) = 0;
  // Has all unit files read again.
  virtual Task<Result<void>> reload() = 0;
  // Has the unit started at boot.
  virtual Task<Result<void>> enable(std::string unit) = 0;
  // Has it no longer started at boot; what runs of it runs on.
  virtual Task<Result<void>> disable(std::string unit) = 0;
  // Asks for the unit to be started, without waiting for it; one that failed is started anew.
  virtual Task<Result<void>> start(std::string unit) = 0;
  // From now on calls `changed` with each new ActiveState of the unit, and with "" when changes may
  // have been missed. Called by the loop.
  virtual void watch(std::string unit, std::function<void(std::string active)> changed) = 0;
  // From now on `changed` of that unit is not called.
  virtual void unwatch(const std::string& unit) = 0;
};

}  // namespace trimtab
