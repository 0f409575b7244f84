// Watches the current release on probation: how long that still lasts, and whether it has broken.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/execute/probation.hpp"
#include "agent/model/observed.hpp"
#include "agent/model/release_record.hpp"

namespace trimtab {

// More than 15 members: what is watched, and what became of it.
class ProbationWatch {
 public:
  struct Check {
    bool is_over = false;  // the probation is over and is to be recorded
    std::optional<Failure> broken;
  };
  // `current`: null before the first; `before`: the release that it would be rolled back to, null
  // if none. `length`: of a whole probation.
  Check check(const ReleaseRecord* current, const ReleaseRecord* before,
              const std::vector<Container>& containers, std::chrono::milliseconds length);
  // Ends the probation of this release, although its record does not say so yet.
  void give_up(int release);

  // A container that somebody stopped is not a defect of the release.
  void on_event(const EngineEvent& event);
  // Docker went away or came back: exits until then are not counted.
  void on_engine_change();
  // A deployment or a rollback has ended with `current` (null before the first): the containers are
  // assigned again. `gate_began`: when this process began to watch the gate of a new release; unset
  // if it did not. `length`: as for check().
  void on_deployment(const ReleaseRecord* current,
                     std::optional<SteadyClock::time_point> gate_began,
                     std::chrono::milliseconds length);

  // When check() is to be called even if nothing happens.
  [[nodiscard]] std::optional<SteadyClock::time_point> next_poll_at() const;
  [[nodiscard]] std::optional<SteadyClock::time_point> end() const;
  // Time left for this release; 0 if none.
  [[nodiscard]] std::chrono::milliseconds left(int release) const;

 private:
  void find_end(const ReleaseRecord* current, std::chrono::milliseconds length);

  // While this process runs, the steady clock counts.
  struct End {
    int release = 0;
    SteadyClock::time_point at;
  };

  std::optional<Probation> probation_;
  std::optional<End> end_;
  int given_up_ = 0;
  bool gate_was_watched_ = false;  // with Docker available since then
  SteadyClock::time_point engine_changed_at_{};
  std::set<std::string> stopped_;  // ids of containers that somebody stopped
};

}  // namespace trimtab
