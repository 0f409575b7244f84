// The status of a stack as a whole, in words. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/facts.hpp"
#include "agent/model/observed.hpp"
#include "agent/model/release_record.hpp"
#include "agent/plan/volumes.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

enum class StackState {
  starting,
  synced,
  checking,
  waiting,
  deploying,
  rolling_back,
  failed,
  paused,
  stopped,
  degraded,
};
std::string_view to_string(StackState state);

struct StackStatus {
  StackState state = StackState::starting;
  std::string reason;  // "" if the state says everything
  std::string next;    // what happens next, or what to do
  friend bool operator==(const StackStatus&, const StackStatus&) = default;
};

struct StackStatusInput {
  std::string stack;
  std::string stopped_unit;  // with which an operator stopped the stack; "" if it is not stopped
  std::string unit_problem;  // why the state of the unit is unknown; "" if it is known
  StackStatus decided;       // the result of the last evaluation
  const Intent* intent = nullptr;
  const ReleaseRecord* current = nullptr;  // null before the first
  std::optional<Error> docker_error;
  const Fact<RefTip>* tip = nullptr;
  const Observed* observed = nullptr;
  const std::vector<std::string>* drift = nullptr;
  std::vector<LostVolume> lost_volumes;
  std::chrono::milliseconds probation_left{0};  // of the current release; 0 or less if none
};

// Returns the state of a stack that cannot be evaluated because of a remote or Docker: waiting if
// that may end without help, failed if a person has to act.
StackState state_of(const Error& error);

// Returns the status: what was decided, then what is running and what operators said.
StackStatus stack_status_of(const StackStatusInput& input);

// Return "3f2c1ab" and "release 42".
std::string short_commit(const std::string& commit);
std::string release_text(int number);

}  // namespace trimtab
