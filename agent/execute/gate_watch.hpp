// Watches the stack's containers until a gate passes or fails.
#pragma once

#include <vector>

#include "agent/execute/gate.hpp"
#include "agent/execute/phase_machine.hpp"
#include "agent/execute/progress.hpp"
#include "agent/execute/stack_reader.hpp"

namespace trimtab {

// All outlive the watch.
struct GateWatchDeps {
  const StackSettings& settings;
  Docker& docker;
  Progress& progress;
  WakeEvent& engine_changed;
  const StackReader& stack;
  const bool& stop_requested;
};

// `phase`: the one to name in a failure. Failed by the world and without a failure where a stop was
// requested: that is no verdict.
Task<PhaseOutcome> watch_gate(GateWatchDeps deps, GateDemand demand,
                              std::vector<ProbeSettings> probed, Phase phase);

}  // namespace trimtab
