#include "agent/execute/failure_report.hpp"
#include "agent/execute/phases/images.hpp"
#include "agent/execute/phases/new_files.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/execute/postgres.hpp"
#include "agent/model/classify.hpp"

namespace trimtab::phases {
namespace {

PhaseOutcome failed(const Error& error, FailureClass cls) {
  PhaseOutcome outcome;
  outcome.result = failed_by(cls);
  outcome.failure = failure_of(Phase::pulling, error, cls);
  return outcome;
}

// How the phase ends where there is no use in going on with it.
std::optional<PhaseOutcome> why_unwanted(const Deployment& deployment, const Release& release) {
  PhaseOutcome outcome;
  outcome.result = PhaseResult::failed_by_world;
  // The next start, or the unit's, begins it again.
  if (deployment.stop_requested) return outcome;
  if (deployment.hooks.paused()) {
    outcome.failure = failure_of_pause(deployment.parts.settings, Phase::pulling);
    return outcome;
  }
  outcome.result = PhaseResult::superseded;
  const bool operator_rollback = deployment.attempt.kind == AttemptKind::operator_rollback;
  if (!operator_rollback && deployment.hooks.superseded(release)) return outcome;
  return std::nullopt;
}

// What an image holds is known only now.
Task<PhaseOutcome> check_data(Deployment& deployment, Release release) {
  PhaseOutcome outcome;
  const auto present = co_await deployment.stack.containers();
  if (!present) co_return outcome;  // what comes next will say so
  preflight::Input input;
  input.postgres = co_await postgres_majors(deployment.parts.docker, *present, release.images);
  if (input.postgres.empty()) co_return outcome;
  const Result<Rendering> next = co_await deployment.stack.rendering(release.number);
  if (!next) co_return outcome;
  input.next = &*next;
  const int fallback = deployment.attempt.fallback;
  Result<Rendering> current = Error{Errc::not_found, "nothing was deployed", {}};
  if (fallback != 0) current = co_await deployment.stack.rendering(fallback);
  if (current) input.current = &*current;
  const preflight::Findings findings = preflight::postgres_major(input);
  if (findings.empty()) co_return outcome;
  const PreflightFinding& found = findings.front();
  co_return failed(Error{Errc::invalid, found.message, found.hint}, FailureClass::content);
}

}  // namespace

Task<PhaseOutcome> pulling(Deployment& deployment) {
  const Release release = *deployment.parts.store.find(deployment.attempt.release);
  std::optional<PhaseOutcome> why;
  const std::function<bool()> unwanted = [&deployment, &release, &why] {
    why = why_unwanted(deployment, release);
    return why.has_value();
  };
  const std::optional<Result<void>> pulled =
      co_await bring_images(deployment, release.images, unwanted);
  if (!pulled || unwanted()) co_return why.value_or(PhaseOutcome{});
  if (!*pulled) co_return failed(pulled->error(), classify(Phase::pulling, pulled->error()));
  // Pulling may have taken long.
  const Result<void> there = co_await deployment.stack.volumes_are_there(release.number);
  if (!there) co_return failed(there.error(), FailureClass::world);
  const Result<void> tried = co_await try_new_files(deployment, release);
  if (!tried) {
    // That something is not there says nothing of the files.
    const bool refused = tried.error().code == Errc::invalid;
    co_return failed(tried.error(), refused ? FailureClass::content : FailureClass::world);
  }
  if (deployment.attempt.kind == AttemptKind::operator_rollback) co_return PhaseOutcome{};
  co_return co_await check_data(deployment, release);
}

}  // namespace trimtab::phases
