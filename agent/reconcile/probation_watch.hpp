// The current release on probation: how long it still is, and whether it has broken.
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
    bool is_over = false;  // it has passed: the record is to say so
    std::optional<Failure> broken;
  };
  // `current`: null before the first; `before`: what it would go back to, null: nothing. `length`:
  // of a whole probation.
  Check check(const ReleaseRecord* current, const ReleaseRecord* before,
              const std::vector<Container>& containers, std::chrono::milliseconds length);
  // No more of this release, although its record still has it on probation.
  void give_up(int release);

  // Who stops a container is not to be taken for a defect of the release.
  void on_event(const EngineEvent& event);
  // Docker went away or came back: what ran before is not judged.
  void on_engine_change();
  // A deployment has ended, on `current` (null: there is none yet), be it in going back: whose
  // containers these are is looked at anew. `gate_began`: when this process began to watch the gate
  // of a new release; unset: it did not. `length`: as for check().
  void on_deployment(const ReleaseRecord* current,
                     std::optional<SteadyClock::time_point> gate_began,
                     std::chrono::milliseconds length);

  // When check() is to be called even if nothing happens.
  [[nodiscard]] std::optional<SteadyClock::time_point> next_poll_at() const;
  [[nodiscard]] std::optional<SteadyClock::time_point> end() const;
  // How much is left to this release; 0: nothing.
  [[nodiscard]] std::chrono::milliseconds left(int release) const;

 private:
  void find_end(const ReleaseRecord* current, std::chrono::milliseconds length);

  // While this process runs, it lasts as long as the steady clock says.
  struct End {
    int release = 0;
    SteadyClock::time_point at;
  };

  std::optional<Probation> probation_;
  std::optional<End> end_;
  int given_up_ = 0;
  bool gate_was_watched_ = false;  // Docker being there since
  SteadyClock::time_point engine_changed_at_{};
  std::set<std::string> stopped_;  // ids of containers that somebody stopped
};

}  // namespace trimtab
