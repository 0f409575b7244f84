// A deployment: one attempt to run a release, from its first phase to its end, with everything that
// is recorded about it.
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
  pulling,          // pulls images; touches nothing that runs
  before,           // runs the stack's hooks, if any; the old release keeps running
  switching,        // moves the live directory and the `current` link
  starting,         // applies the release with Compose
  gating,           // checks whether the release works
  committing,       // it does: removes what the release no longer has and records the outcome
  after,            // runs the stack's hooks for this phase; they cannot change the outcome
  rolling_back,     // restores directory, link and containers
  gating_rollback,  // checks whether the old release works again
};

std::string_view to_string(Phase phase);
std::optional<Phase> phase_from(std::string_view text);

enum class DeploymentKind {
  deploy,
  repair,  // redeploys the running content, part of which was changed or is down
  // Deploys another commit with the same content as the good release that is running: only the
  // checkout moves. The only kind without a gate.
  record_only,
  operator_rollback,  // an operator goes back to `release`
  // `release` broke after its gate: goes back to `fallback`, starting at the phase rolling_back.
  probation_rollback,
};

// Whether its result has to pass a gate.
constexpr bool is_gated(DeploymentKind kind) {
  return kind != DeploymentKind::record_only;
}
// Whether it is about a release that was deployed before.
constexpr bool is_return(DeploymentKind kind) {
  return kind == DeploymentKind::operator_rollback || kind == DeploymentKind::probation_rollback;
}

std::string_view to_string(DeploymentKind kind);
std::optional<DeploymentKind> deployment_kind_from(std::string_view text);

// More than 15 members: plain data, all that is recorded about a deployment.
struct Deployment {
  int id = 0;        // ascending in the order of their start, from 1
  int release = 0;   // the release to run
  int fallback = 0;  // release to go back to; 0: none
  int checkout = 0;  // release whose files were in the live directory at the start; 0: none
  DeploymentKind kind = DeploymentKind::deploy;
  // The release with different content that was running at the start; 0: none. Unset if this
  // deployment does not determine to which release `release` goes back.
  std::optional<int> previous;
  std::string cause;  // why it was started: "push 3f2c1ab", "image acme/backend:latest changed", …
  std::vector<PreflightFinding> findings;
  RunningSet from;  // what was running at the start
  Plan plan;        // what applying it changes
  // Services that were not working before; not counted against this deployment.
  std::set<std::string> already_failing;
  std::string request;  // id of the operator's request; "": none
  Phase phase = Phase::pulling;
  int phase_attempts = 0;  // how often the current phase was started
  Plan return_plan;        // what rolling back changes; empty before that
  // For each rolled service, the containers to be replaced; recorded before the first new one
  // starts.
  std::optional<SeenContainers> outgoing;
  std::string hook_mark;  // NAME=VALUE in the environment of the running hook; "": none
  WallTime started_at;
  std::vector<TimelineEntry> timeline;
  std::vector<HookRun> hooks;
  std::vector<std::string> notices;  // messages for the user
  std::optional<Failure> failure;    // why it was rolled back or failed
  RunningSet ran;  // what its last gate verified to be running; release 0: nothing
  // Unset while it is in progress.
  std::optional<WallTime> ended_at;
  Outcome outcome = Outcome::in_progress;
  // The time until which the release is rolled back if it breaks; unset: not any more.
  std::optional<WallTime> probation_until;
};

// Ignores a notice that is already there, because a phase may be repeated.
void add_notice(Deployment& deployment, const std::string& notice);

}  // namespace trimtab
