// What became of something that was tried: how it ended, why, and how long its parts took.
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
  postponed,    // the host prevented it before anything was touched: it is tried again
  good,         // passed its gate
  rejected,     // refused before anything was touched
  rolled_back,  // its gate failed, or an operator went back from it
  failed,       // its gate failed and there was nothing to go back to, or going back failed
  superseded,   // a newer one came before anything was touched
};

std::string_view to_string(Outcome outcome);
std::optional<Outcome> outcome_from(std::string_view text);

struct ServiceFailure {
  std::string service;
  std::string reason;
  std::vector<std::string> log;  // its last lines
};

struct Failure {
  FailureCause cause = FailureCause::release;
  std::string phase;   // the phase that failed
  std::string reason;  // one sentence for people
  std::string hint;
  std::vector<ServiceFailure> services;
};

struct TimelineEntry {
  std::string phase;
  WallTime started_at;
  std::optional<double> seconds;  // unset while it lasts, or where the daemon ended in it
};

// How one of the stack's hooks went.
struct HookRun {
  std::string phase;        // before, after
  std::string name;         // "db: pg_dump"
  std::optional<int> exit;  // unset where it did not end by itself
  double seconds = 0;
  std::string problem;              // why it counts as failed; "": it does not
  std::vector<std::string> output;  // its last lines, printable
};

}  // namespace trimtab
