#include "agent/execute/gate_watch.hpp"

#include "agent/execute/failure_report.hpp"
#include "agent/execute/operations.hpp"
#include "agent/execute/probe.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

// Removes containers that were created but not started: Compose may create them even after it was
// stopped or has given up.
Task<std::vector<Container>> without_half_made(GateWatchDeps deps, std::vector<Container> present) {
  const std::vector<Container> half = half_made(present);
  for (const Container& stray : half) {
    std::erase_if(present, [&](const Container& one) { return one.id == stray.id; });
    const Result<void> removed = co_await deps.docker.remove(stray.id);
    if (!removed) spdlog::warn("{}: {}", deps.settings.name, removed.error().text());
  }
  co_return present;
}

Task<std::vector<ProbeAnswer>> ask(std::vector<ProbeSettings> probed) {
  std::vector<ProbeAnswer> answers;
  for (const ProbeSettings& settings : probed) answers.push_back(co_await probe(settings));
  co_return answers;
}

}  // namespace

Task<PhaseOutcome> watch_gate(GateWatchDeps deps, GateDemand demand,
                              std::vector<ProbeSettings> probed, Phase phase) {
  PhaseOutcome outcome;
  Gate gate(std::move(demand), SteadyClock::now());
  for (;;) {
    const auto found = co_await deps.stack.containers();
    if (!found) {
      outcome.docker_lost = true;
      outcome.result = PhaseResult::failed_by_host;
      outcome.failure = failure_of(phase, found.error(), FailureCause::host);
      co_return outcome;
    }
    const std::vector<Container> present = co_await without_half_made(deps, *found);
    const std::vector<ProbeAnswer> answers = co_await ask(probed);
    GateVerdict verdict = gate.observe(present, answers, SteadyClock::now());
    if (verdict.state == GateVerdict::State::passed) co_return outcome;
    if (verdict.state == GateVerdict::State::failed) {
      outcome.result = failed_by(verdict.cause);
      Failure failure{verdict.cause, std::string(to_string(phase)), verdict.reason, {}, {}};
      failure.services = std::move(verdict.services);
      co_await add_logs(deps.docker, deps.stack, &failure.services);
      outcome.failure = std::move(failure);
      co_return outcome;
    }
    deps.progress.waiting_for(verdict.waiting_for);
    co_await deps.engine_changed.wait_until(gate.next_poll_at(SteadyClock::now()));
    if (deps.stop_requested) {
      // The next start, of the daemon or of the unit, repeats this phase.
      outcome.result = PhaseResult::failed_by_host;
      co_return outcome;
    }
  }
}

}  // namespace trimtab
