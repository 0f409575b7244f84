#include "agent/execute/gate_watch.hpp"

#include "agent/execute/failure_report.hpp"
#include "agent/execute/operations.hpp"
#include "agent/execute/probe.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

// What a Compose that gave up had asked for may come into being only now.
Task<std::vector<Container>> without_half_made(GateWatchParts parts,
                                               std::vector<Container> present) {
  const std::vector<Container> half = half_made(present);
  for (const Container& stray : half) {
    std::erase_if(present, [&](const Container& one) { return one.id == stray.id; });
    const Result<void> removed = co_await parts.docker.remove(stray.id);
    if (!removed) spdlog::warn("{}: {}", parts.settings.name, removed.error().text());
  }
  co_return present;
}

Task<std::vector<ProbeAnswer>> ask(std::vector<ProbeSettings> probed) {
  std::vector<ProbeAnswer> answers;
  for (const ProbeSettings& settings : probed) answers.push_back(co_await probe(settings));
  co_return answers;
}

}  // namespace

Task<PhaseOutcome> watch_gate(GateWatchParts parts, GateDemand demand,
                              std::vector<ProbeSettings> probed, Phase phase) {
  PhaseOutcome outcome;
  Gate gate(std::move(demand), SteadyClock::now());
  for (;;) {
    const auto found = co_await parts.stack.containers();
    if (!found) {
      outcome.docker_lost = true;
      outcome.result = PhaseResult::failed_by_world;
      outcome.failure = failure_of(phase, found.error(), FailureClass::world);
      co_return outcome;
    }
    const std::vector<Container> present = co_await without_half_made(parts, *found);
    const std::vector<ProbeAnswer> answers = co_await ask(probed);
    GateVerdict verdict = gate.observe(present, answers, SteadyClock::now());
    if (verdict.state == GateVerdict::State::passed) co_return outcome;
    if (verdict.state == GateVerdict::State::failed) {
      outcome.result = failed_by(verdict.cls);
      Failure failure{verdict.cls, std::string(to_string(phase)), verdict.reason, {}, {}};
      failure.services = std::move(verdict.services);
      co_await add_logs(parts.docker, parts.stack, &failure.services);
      outcome.failure = std::move(failure);
      co_return outcome;
    }
    parts.progress.waiting_for(verdict.waiting_for);
    co_await parts.engine_changed.wait_until(gate.next_look(SteadyClock::now()));
    if (parts.stop_requested) {
      // The next start, or the unit's, begins this phase again.
      outcome.result = PhaseResult::failed_by_world;
      co_return outcome;
    }
  }
}

}  // namespace trimtab
