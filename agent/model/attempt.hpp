// The deployment in flight, as the journal has it.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "agent/model/release.hpp"
#include "agent/model/running_set.hpp"

namespace trimtab {

enum class Phase {
  pulling,          // images are fetched; nothing that runs is touched
  before,           // the stack's hooks, where it has some; what runs goes on
  switching,        // the live directory and the `current` link move
  starting,         // Compose applies the release
  gating,           // does it work?
  committing,       // it does: what it no longer has is removed, the outcome is recorded
  after,            // the stack's hooks for then; they change nothing of the outcome
  rolling_back,     // directory, link and containers go back
  gating_rollback,  // does the old release work again?
};

std::string_view to_string(Phase phase);
std::optional<Phase> phase_from(std::string_view text);

enum class AttemptKind {
  deploy,
  // Another commit with the content of the good release that runs: the checkout moves, nothing else
  // does. The only kind without a gate.
  record_only,
  operator_rollback,  // an operator goes back to `release`
};

std::string_view to_string(AttemptKind kind);
std::optional<AttemptKind> attempt_kind_from(std::string_view text);

struct Attempt {
  int release = 0;   // what is to run
  int fallback = 0;  // what to go back to; 0: nothing
  int checkout = 0;  // whose files the live directory had when it began; 0: none
  AttemptKind kind = AttemptKind::deploy;
  RunningSet from;               // what ran when it began
  Plan plan;                     // what applying it does
  std::set<std::string> unwell;  // services that did not work before it: no fault of its own
  std::string request;           // id of the operator's request, if one asked for it
  Phase phase = Phase::pulling;
  int entries = 0;   // how often the present phase was begun
  Plan return_plan;  // what going back does, once it goes back
  // Of each rolled service, the containers that go; noted before the first new one comes.
  std::optional<SeenContainers> leaving;
  std::string hook_mark;  // NAME=VALUE that the hook which runs has in its environment; "": none
  WallTime started_at;
  std::optional<Failure> failure;  // why it rolls back
};

}  // namespace trimtab
