// The result of a deployment: how it ended, why, and how long its phases took.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/plan.hpp"
#include "common/text.hpp"

namespace trimtab {

enum class Outcome {
  in_progress,
  postponed,    // the host prevented it before anything was touched; will be retried
  good,         // passed its gate
  rejected,     // refused before anything was touched
  rolled_back,  // its gate failed, or an operator rolled it back
  failed,       // its gate failed and there was nothing to roll back to, or rolling back failed
  superseded,   // a newer one arrived before anything was touched
};

std::string_view to_string(Outcome outcome);
std::optional<Outcome> outcome_from(std::string_view text);

struct ServiceFailure {
  std::string service;
  std::string reason;
  std::vector<std::string> log;  // last lines of its log
};

struct Failure {
  FailureCause cause = FailureCause::release;
  std::string phase;   // the phase that failed
  std::string reason;  // one sentence for the user
  std::string hint;
  std::vector<ServiceFailure> services;
};

struct TimelineEntry {
  std::string phase;
  WallTime started_at;
  std::optional<double> seconds;  // unset while it lasts, or if the daemon exited during it
};

// The run of one of the stack's hooks.
struct HookRun {
  std::string phase;        // before, after
  std::string name;         // "db: pg_dump"
  std::optional<int> exit;  // unset if it was killed
  double seconds = 0;
  std::string problem;              // why it counts as failed; "": succeeded
  std::vector<std::string> output;  // last lines, printable
};

}  // namespace trimtab
