// A deployment: one attempt to make a release run, from its first phase to its end, and all that
// became of the release by it.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/outcome.hpp"
#include "agent/model/plan.hpp"
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

enum class DeploymentKind {
  deploy,
  repair,  // the content that runs, of which something was changed or is down
  // Another commit with the content of the good release that runs: the checkout moves, nothing else
  // does. The only kind without a gate.
  record_only,
  operator_rollback,  // an operator goes back to `release`
  // `release` has broken after its gate: it goes back to `fallback`, from the phase rolling_back
  // on.
  probation_rollback,
};

// Whether what runs afterwards has to pass a gate.
constexpr bool is_gated(DeploymentKind kind) {
  return kind != DeploymentKind::record_only;
}
// Whether it is about a release that was deployed before, of which it is a later chapter.
constexpr bool is_return(DeploymentKind kind) {
  return kind == DeploymentKind::operator_rollback || kind == DeploymentKind::probation_rollback;
}

std::string_view to_string(DeploymentKind kind);
std::optional<DeploymentKind> deployment_kind_from(std::string_view text);

struct Deployment {
  int id = 0;        // in the order in which they began, from 1 on
  int release = 0;   // what is to run
  int fallback = 0;  // what to go back to; 0: nothing
  int checkout = 0;  // whose files the live directory had when it began; 0: none
  DeploymentKind kind = DeploymentKind::deploy;
  // The release of other content that ran when it began; 0: none did. Unset where it says nothing
  // about where `release` goes back to.
  std::optional<int> previous;
  std::string cause;  // why it was begun: "push 3f2c1ab", "image acme/backend:latest changed", …
  std::vector<PreflightFinding> findings;
  RunningSet from;  // what ran when it began
  Plan plan;        // what applying it does
  std::set<std::string>
      already_failing;  // services that did not work before it: no fault of its own
  std::string request;  // id of the operator's request, if one asked for it
  Phase phase = Phase::pulling;
  int phase_attempts = 0;  // how often the present phase was begun
  Plan return_plan;        // what going back does, once it goes back
  // Of each rolled service, the containers that go; noted before the first new one comes.
  std::optional<SeenContainers> outgoing;
  std::string hook_mark;  // NAME=VALUE that the hook which runs has in its environment; "": none
  WallTime started_at;
  std::vector<TimelineEntry> timeline;
  std::vector<HookRun> hooks;
  std::vector<std::string> notices;  // for people
  std::optional<Failure> failure;    // why it rolls back, or why it failed
  RunningSet ran;  // what was verified to run by its last gate; of release 0: nothing was
  // Unset while it is in flight.
  std::optional<WallTime> ended_at;
  Outcome outcome = Outcome::in_progress;
  // Until then what it has made run goes back by itself if it breaks; unset: no longer.
  std::optional<WallTime> probation_until;
};

// One that is there already, since a phase is begun again, is not repeated.
void add_notice(Deployment& deployment, const std::string& notice);

}  // namespace trimtab
