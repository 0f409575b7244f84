// Keeps the systemd unit that boots the stack: writes it, puts it back where it was changed, and
// sees whether an operator stopped the stack with it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "agent/record/store.hpp"
#include "agent/units/stack_unit.hpp"
#include "agent/units/units.hpp"

namespace trimtab {

// What the next step depends on.
struct UnitFacts {
  bool has_release = false;              // one that passed its gate
  bool brought_up = false;               // the unit was enabled and started once
  bool docker_answers = true;            // else a start would start Docker, too
  bool reload_is_due = false;            // systemd was not told yet what was written
  std::string path;                      // where the unit's file belongs
  std::optional<std::string> file_text;  // what is there
  std::string wanted_text;
  UnitState state;
};

enum class UnitStep {
  none,
  refuse,    // a unit of that name is somebody else's
  write,     // its file, and have it read
  bring_up,  // enable and start it, for the first time
  start,     // anew: it failed
};

// Both pure.
UnitStep next_unit_step(const UnitFacts& facts);
// Whether an operator wants the stack to be down.
bool is_stopped_by_operator(const UnitFacts& facts);

// For status.
struct UnitView {
  std::string name;
  std::string active;  // as systemd says
  bool enabled = false;
  std::string problem;  // words for people; "" where there is none
};

// More than 15 members: what is known about the unit, and what an operator wants of it.
class UnitKeeper {
 public:
  // `units` null: systemd does not run here, and no unit is kept. It and `store` outlive this.
  UnitKeeper(Units* units, std::filesystem::path unit_directory, std::string name, Store& store);

  // One look, and at most one step on. `unit`: what its file is to say.
  Task<void> check(StackUnit unit, bool docker_answers);

  // An operator stopped the stack: nothing is to be started until it is started again.
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }
  // The unit is being started or stopped just now, by whomever; or it was not seen yet.
  [[nodiscard]] bool is_moving() const { return is_moving_; }
  [[nodiscard]] const std::optional<UnitView>& view() const { return view_; }

 private:
  Task<Result<void>> take(UnitStep step, UnitFacts facts);
  Task<Result<void>> remove_earlier_unit(std::string stack);
  Task<Result<void>> reload();
  void show(UnitView view, const std::string& stack);

  Units* units_;
  std::filesystem::path path_;
  std::string name_;
  Store& store_;
  std::optional<UnitView> view_;
  bool is_stopped_ = false;
  bool is_moving_;
  bool reload_is_due_ = false;
  SteadyClock::time_point next_start_{};
  int failed_starts_ = 0;
};

}  // namespace trimtab
