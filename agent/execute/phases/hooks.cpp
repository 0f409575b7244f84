#include <fmt/core.h>

#include <algorithm>

#include "agent/execute/hook_runner.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/plan/diff.hpp"
#include "common/log.hpp"

namespace trimtab::phases {
namespace {

// The result of a hook that was not skipped.
struct Ran {
  HookRun run;
  bool late = false;
};

// Whether the release may be at fault. Only a one-off is the new release's own code; and if a hook
// could not be run or was killed, that says nothing about the release.
bool may_be_by_content(const HookSettings& hook, const Ran& ran) {
  constexpr int killed = 128 + 9;
  return hook.one_off && (ran.late || (ran.run.exit && *ran.run.exit != killed));
}

Failure failure_of(const HookSettings& hook, const Ran& ran, FailureCause cause) {
  Failure failure;
  failure.cause = cause;
  failure.phase = ran.run.phase;
  failure.reason = fmt::format("hook {} {}", ran.run.name, ran.run.problem);
  failure.services.push_back(
      {hook.service.empty() ? ran.run.name : hook.service, ran.run.problem, ran.run.output});
  return failure;
}

PhaseOutcome not_recorded(const std::string& phase, const Error& error) {
  PhaseOutcome outcome;
  outcome.result = PhaseResult::failed_by_host;
  outcome.failure = Failure{FailureCause::host, phase, error.message, error.hint, {}};
  return outcome;
}

// Whether anything that the hook may depend on, such as a database, was down at some time.
Task<bool> was_anything_down(DeploymentRun& run, WallTime since) {
  const Deployment& deployment = run.deployment;
  if (deployment.fallback == 0) co_return false;
  const Result<Rendering> rendering = co_await run.stack.rendering(deployment.fallback);
  const auto present = co_await run.stack.containers();
  if (!rendering || !present) co_return true;
  Observed now;
  now.containers = *present;
  const std::set<std::string> down = failing_services(deployment.from, *rendering, now);
  const bool newly_down = std::any_of(down.begin(), down.end(), [&](const std::string& service) {
    return !deployment.already_failing.contains(service);
  });
  co_return newly_down ||
      std::any_of(present->begin(), present->end(), [&](const Container& container) {
        return deployment.from.find(container.service) != nullptr && container.started_at > since;
      });
}

// While the hook is running, its mark is recorded in the deployment, so that after a kill the next
// start can end what is left of it.
Task<Result<HookEnd>> run_marked(DeploymentRun& run, HookSettings hook,
                                 std::vector<std::string>* output) {
  const DeploymentDeps& deps = run.deps;
  Deployment& deployment = run.deployment;
  deployment.hook_mark = new_hook_mark(deps.store);
  const Result<void> marked = co_await deps.store.save(deployment);
  if (!marked) co_return marked.error().context("was not run");
  HookRunner runner({deps.settings, deps.project, deps.store, deps.docker, deps.compose,
                     deps.progress, run.stack},
                    deployment);
  const Result<HookEnd> end = co_await runner.run(hook, output);
  deployment.hook_mark.clear();
  const Result<void> unmarked = co_await deps.store.save(deployment);
  if (!unmarked) spdlog::warn("{}: {}", deps.settings.name, unmarked.error().text());
  co_return end;
}

// Returns nothing if the hook was skipped, which is reported to the user.
Task<Result<std::optional<Ran>>> run_hook(DeploymentRun& run, HookSettings hook) {
  const DeploymentDeps& deps = run.deps;
  Deployment& deployment = run.deployment;
  Ran ran;
  ran.run.phase = to_string(deployment.phase);
  ran.run.name = name_of(hook);
  deps.progress.hook_begun(ran.run.name, hook.timeout);
  const SteadyClock::time_point begun = SteadyClock::now();
  const Result<HookEnd> end = co_await run_marked(run, hook, &ran.run.output);
  const std::chrono::duration<double> took = SteadyClock::now() - begun;
  ran.run.seconds = took.count();
  deps.progress.waiting_for({});
  if (end && !end->skipped.empty()) {
    const std::string notice = fmt::format("hook {} was skipped: {}", ran.run.name, end->skipped);
    deps.progress.note(notice);
    add_notice(deployment, notice);
    const Result<void> noted = co_await deps.store.save(deployment);
    if (!noted) co_return noted.error();
    co_return std::optional<Ran>();
  }
  if (end) ran.run.exit = end->exit;
  ran.late = !end && end.error().code == Errc::timed_out;
  if (!end) ran.run.problem = end.error().message;
  if (end && end->exit != 0) ran.run.problem = fmt::format("exited with {}", end->exit);
  const KnownValues& values = run.hooks.values;
  ran.run.problem = values.hide_in_error(ran.run.problem);
  for (std::string& line : ran.run.output) line = values.hide_in(line);
  co_return std::optional<Ran>(std::move(ran));
}

// Returns how the phase ends, or nothing if the next hook is to be run.
Task<std::optional<PhaseOutcome>> assess(DeploymentRun& run, HookSettings hook, Ran ran,
                                         WallTime begun_at) {
  const DeploymentDeps& deps = run.deps;
  Deployment& deployment = run.deployment;
  if (ran.run.problem.empty()) {
    deps.progress.note(fmt::format("hook {} has finished", ran.run.name));
    co_return std::nullopt;
  }
  const std::string what = fmt::format("hook {} {}", ran.run.name, ran.run.problem);
  if (deployment.phase == Phase::after || !hook.stop_on_failure) {
    spdlog::warn("{}: {}", deps.settings.name, what);
    deps.progress.note(what);
    add_notice(deployment, what);
    const Result<void> noted = co_await deps.store.save(deployment);
    if (!noted) co_return not_recorded(ran.run.phase, noted.error());
    if (hook.stop_on_failure) co_return PhaseOutcome{};
    co_return std::nullopt;
  }
  bool content = may_be_by_content(hook, ran);
  if (content) content = !co_await was_anything_down(run, begun_at);
  const FailureCause cause = content ? FailureCause::release : FailureCause::host;
  PhaseOutcome outcome;
  outcome.result = failed_by(cause);
  outcome.failure = failure_of(hook, ran, cause);
  co_return outcome;
}

}  // namespace

Task<PhaseOutcome> hooks(DeploymentRun& run, std::vector<HookSettings> hooks) {
  Store& store = run.deps.store;
  Deployment& deployment = run.deployment;
  const std::string phase(to_string(deployment.phase));
  if (deployment.phase == Phase::before) deployment.hooks.clear();
  std::erase_if(deployment.hooks, [&](const HookRun& earlier) { return earlier.phase == phase; });
  Result<void> noted = co_await store.save(deployment);
  if (!noted) co_return not_recorded(phase, noted.error());
  for (const HookSettings& hook : hooks) {
    const WallTime begun_at = wall_now();
    Result<std::optional<Ran>> ran = std::optional<Ran>();
    if (!run.stop_requested) ran = co_await run_hook(run, hook);
    // Being stopped says nothing about the hook: the next start runs it again.
    if (run.stop_requested) {
      PhaseOutcome stopped;
      stopped.result = PhaseResult::failed_by_host;
      co_return stopped;
    }
    if (!ran) co_return not_recorded(phase, ran.error());
    if (!*ran) continue;
    deployment.hooks.push_back((*ran)->run);
    noted = co_await store.save(deployment);
    if (!noted) co_return not_recorded(phase, noted.error());
    std::optional<PhaseOutcome> end = co_await assess(run, hook, std::move(**ran), begun_at);
    if (end) co_return std::move(*end);
  }
  co_return PhaseOutcome{};
}

}  // namespace trimtab::phases
