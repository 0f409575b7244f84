// What runs, as far as it was verified: the base that plans are made from.
#pragma once

#include <map>
#include <set>
#include <string>

#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

// A container keeps its image and definition for as long as it lives, so that its id says which
// release it is of. The tracked files that it mounts may be rewritten under it.
struct RunningService {
  int release = 0;                   // whose definition was verified to run; 0: none was
  std::set<std::string> containers;  // their ids then
  bool is_job = false;               // it had done its work and exited with 0 by then
  bool is_touched = false;           // a deployment has begun to change it since

  friend bool operator==(const RunningService&, const RunningService&) = default;
};

struct RunningSet {
  int release = 0;  // that passed its gate last; 0: none did
  std::map<std::string, RunningService> services;

  // Nothing was touched since `release` passed its gate.
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] const RunningService* find(const std::string& service) const;
  // Whether the container was there when its service was verified.
  [[nodiscard]] bool has(const std::string& service, const std::string& container) const;
  [[nodiscard]] std::set<std::string> jobs() const;
  // By service; those without a container are left out.
  [[nodiscard]] SeenContainers containers() const;

  friend bool operator==(const RunningSet&, const RunningSet&) = default;
};

// Marks what the plan changes, for as long as it is not verified.
void touch(RunningSet& running, const Plan& plan);

}  // namespace trimtab
