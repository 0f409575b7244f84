#include "agent/execute/failure_report.hpp"
#include "agent/execute/phases/images.hpp"
#include "agent/execute/phases/new_files.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/postgres.hpp"
#include "agent/model/classify.hpp"

namespace trimtab::phases {
namespace {

PhaseOutcome failed(const Error& error, FailureCause cause) {
  PhaseOutcome outcome;
  outcome.result = failed_by(cause);
  outcome.failure = failure_of(Phase::pulling, error, cause);
  return outcome;
}

// Returns how the phase ends if it is no longer wanted.
std::optional<PhaseOutcome> why_unwanted(const DeploymentRun& run, const Release& release) {
  PhaseOutcome outcome;
  outcome.result = PhaseResult::failed_by_host;
  // The next start, of the daemon or of the unit, repeats the phase.
  if (run.stop_requested) return outcome;
  if (run.hooks.paused()) {
    outcome.failure = failure_of_pause(run.deps.settings, Phase::pulling);
    return outcome;
  }
  outcome.result = PhaseResult::superseded;
  const bool operator_rollback = run.deployment.kind == DeploymentKind::operator_rollback;
  if (!operator_rollback && run.hooks.superseded(release)) return outcome;
  return std::nullopt;
}

// The content of an image is only known after pulling it.
Task<PhaseOutcome> check_data(DeploymentRun& run, Release release) {
  PhaseOutcome outcome;
  const auto present = co_await run.stack.containers();
  if (!present) co_return outcome;  // the following steps report it
  preflight::Input input;
  input.postgres = co_await postgres_majors(run.deps.docker, *present, release.images);
  if (input.postgres.empty()) co_return outcome;
  const Result<Rendering> next = co_await run.stack.rendering(release.number);
  if (!next) co_return outcome;
  input.next = &*next;
  const int fallback = run.deployment.fallback;
  Result<Rendering> current = Error{Errc::not_found, "nothing has been deployed", {}};
  if (fallback != 0) current = co_await run.stack.rendering(fallback);
  if (current) input.current = &*current;
  const preflight::Findings findings = preflight::postgres_major(input);
  if (findings.empty()) co_return outcome;
  const PreflightFinding& found = findings.front();
  co_return failed(Error{Errc::invalid, found.message, found.hint}, FailureCause::release);
}

}  // namespace

Task<PhaseOutcome> pulling(DeploymentRun& run) {
  const Release release = *run.deps.store.find(run.deployment.release);
  std::optional<PhaseOutcome> why;
  const std::function<bool()> unwanted = [&run, &release, &why] {
    why = why_unwanted(run, release);
    return why.has_value();
  };
  const std::optional<Result<void>> pulled = co_await bring_images(run, release.images, unwanted);
  if (!pulled || unwanted()) co_return why.value_or(PhaseOutcome{});
  if (!*pulled) co_return failed(pulled->error(), classify(Phase::pulling, pulled->error()));
  // Pulling may have taken long.
  const Result<void> there = co_await run.stack.volumes_are_there(release.number);
  if (!there) co_return failed(there.error(), FailureCause::host);
  const Result<void> tried = co_await check_new_config(run, release);
  if (!tried) {
    // If something does not exist, that says nothing about the files.
    const bool refused = tried.error().code == Errc::invalid;
    co_return failed(tried.error(), refused ? FailureCause::release : FailureCause::host);
  }
  if (run.deployment.kind == DeploymentKind::operator_rollback) co_return PhaseOutcome{};
  co_return co_await check_data(run, release);
}

}  // namespace trimtab::phases
