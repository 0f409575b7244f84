// What was verified to be running; the base from which plans are computed.
#pragma once

#include <map>
#include <set>
#include <string>

#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

// A container keeps its image and definition for its whole life, so its id determines the release
// that it belongs to. The tracked files that it mounts may change, however.
struct RunningService {
  int release = 0;                   // release whose definition was verified to run; 0: none
  std::set<std::string> containers;  // container ids at that time
  bool is_job = false;               // it had exited with 0 by then, its work done
  bool is_touched = false;           // a deployment has begun to change it since

  friend bool operator==(const RunningService&, const RunningService&) = default;
};

struct RunningSet {
  int release = 0;  // last release that passed its gate; 0: none
  std::map<std::string, RunningService> services;

  // Whether nothing has been touched since `release` passed its gate.
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] const RunningService* find(const std::string& service) const;
  // Whether the container existed when its service was verified.
  [[nodiscard]] bool has(const std::string& service, const std::string& container) const;
  [[nodiscard]] std::set<std::string> jobs() const;
  // By service; without services that have no container.
  [[nodiscard]] SeenContainers containers() const;

  friend bool operator==(const RunningSet&, const RunningSet&) = default;
};

// Marks the services that the plan changes as touched, until they are verified again.
void touch(RunningSet& running, const Plan& plan);

}  // namespace trimtab
