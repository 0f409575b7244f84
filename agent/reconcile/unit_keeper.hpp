// Manages the systemd unit that boots the stack: writes it, restores it if it was changed, and
// detects whether an operator stopped the stack with it.
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
  bool has_release = false;              // one whose boot files are written
  bool passed_gate = false;              // it has
  bool brought_up = false;               // the unit was enabled and started once
  bool docker_answers = true;            // otherwise starting the unit would start Docker, too
  bool reload_is_due = false;            // systemd has not read yet what was written
  std::string path;                      // of the unit's file
  std::optional<std::string> file_text;  // its content
  std::string wanted_text;
  UnitState state;
};

enum class UnitStep {
  none,
  refuse,    // a unit of that name belongs to somebody else
  write,     // the file, and reload systemd
  bring_up,  // enable and start it, for the first time
  start,     // again: it failed
};

// Both pure.
UnitStep next_unit_step(const UnitFacts& facts);
// Returns whether an operator has stopped the stack.
bool is_stopped_by_operator(const UnitFacts& facts);

// For status.
struct UnitView {
  std::string name;
  std::string active;  // as systemd reports it
  bool enabled = false;
  std::string problem;  // for people; "" if there is none
};

// More than 15 members: what is known about the unit, and what an operator wants of it.
class UnitKeeper {
 public:
  // `units` null: systemd does not run here, and no unit is managed. It and `store` outlive this.
  UnitKeeper(Units* units, std::filesystem::path unit_directory, std::string name, Store& store);

  // Reads the state of the unit and takes at most one step. `unit`: the wanted content of the file.
  Task<void> check(StackUnit unit, bool docker_answers);

  // An operator stopped the stack: nothing is started until the unit is started again.
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }
  // The unit is being started or stopped, by whomever, or its state is not known.
  [[nodiscard]] bool is_moving() const { return is_moving_; }
  [[nodiscard]] const std::optional<UnitView>& view() const { return view_; }

 private:
  Task<Result<void>> take(UnitStep step, UnitFacts facts);
  Task<Result<void>> remove_earlier_unit(std::string stack);
  Task<Result<void>> reload();
  Task<Result<void>> sync_units();
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
