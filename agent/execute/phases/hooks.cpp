#include <algorithm>

#include "agent/execute/hook_runner.hpp"
#include "agent/execute/phases/phases.hpp"
#include "agent/plan/diff.hpp"
#include "common/log.hpp"

namespace trimtab::phases {
namespace {

// What became of a hook that was not skipped.
struct Ran {
  HookRun run;
  bool late = false;
};

// A one-off is the new release's own code; what else runs was there before, and what could not be
// run, or was killed, says nothing of it.
bool may_be_by_content(const HookSettings& hook, const Ran& ran) {
  constexpr int killed = 128 + 9;
  return hook.one_off && (ran.late || (ran.run.exit && *ran.run.exit != killed));
}

Failure failure_of(const HookSettings& hook, const Ran& ran, FailureClass cls) {
  Failure failure;
  failure.cls = cls;
  failure.phase = ran.run.phase;
  failure.reason = "hook " + ran.run.name + " " + ran.run.problem;
  failure.services.push_back(
      {hook.service.empty() ? ran.run.name : hook.service, ran.run.problem, ran.run.output});
  return failure;
}

PhaseOutcome not_recorded(const std::string& phase, const Error& error) {
  PhaseOutcome outcome;
  outcome.result = PhaseResult::failed_by_world;
  outcome.failure = Failure{FailureClass::world, phase, error.message, error.hint, {}};
  return outcome;
}

// Whether what the hook may have worked with, such as a database, was not there all the time.
Task<bool> was_anything_down(Deployment& deployment, WallTime since) {
  const Attempt& attempt = deployment.attempt;
  if (attempt.fallback == 0) co_return false;
  const Result<Rendering> rendering = co_await deployment.stack.rendering(attempt.fallback);
  const auto present = co_await deployment.stack.containers();
  if (!rendering || !present) co_return true;
  Observed now;
  now.containers = *present;
  const std::set<std::string> down = unwell_services(attempt.from, *rendering, now);
  const bool newly_down = std::any_of(down.begin(), down.end(), [&](const std::string& service) {
    return !attempt.unwell.contains(service);
  });
  co_return newly_down ||
      std::any_of(present->begin(), present->end(), [&](const Container& container) {
        return attempt.from.find(container.service) != nullptr && container.started_at > since;
      });
}

// From its beginning to its end the deployment's file has its mark: a start after a kill ends what
// is left.
Task<Result<HookEnd>> run_marked(Deployment& deployment, HookSettings hook,
                                 std::vector<std::string>* output) {
  const ExecutorParts& parts = deployment.parts;
  Attempt& attempt = deployment.attempt;
  attempt.hook_mark = new_hook_mark(parts.store);
  const Result<void> marked = parts.store.save(attempt);
  if (!marked) co_return marked.error().context("was not run");
  HookRunner runner({parts.settings, parts.project, parts.store, parts.docker, parts.compose,
                     parts.progress, deployment.stack},
                    attempt);
  const Result<HookEnd> end = co_await runner.run(hook, output);
  attempt.hook_mark.clear();
  const Result<void> unmarked = parts.store.save(attempt);
  if (!unmarked) spdlog::warn("{}: {}", parts.settings.name, unmarked.error().text());
  co_return end;
}

// Nothing where it was skipped, which people are told.
Task<Result<std::optional<Ran>>> run_hook(Deployment& deployment, HookSettings hook) {
  const ExecutorParts& parts = deployment.parts;
  Attempt& attempt = deployment.attempt;
  Ran ran;
  ran.run.phase = to_string(attempt.phase);
  ran.run.name = name_of(hook);
  parts.progress.hook_begun(ran.run.name, hook.timeout);
  const SteadyClock::time_point begun = SteadyClock::now();
  const Result<HookEnd> end = co_await run_marked(deployment, hook, &ran.run.output);
  const std::chrono::duration<double> took = SteadyClock::now() - begun;
  ran.run.seconds = took.count();
  parts.progress.waiting_for({});
  if (end && !end->skipped.empty()) {
    const std::string notice = "hook " + ran.run.name + " was skipped: " + end->skipped;
    parts.progress.remark(notice);
    add_notice(attempt, notice);
    const Result<void> noted = parts.store.save(attempt);
    if (!noted) co_return noted.error();
    co_return std::optional<Ran>();
  }
  if (end) ran.run.exit = end->exit;
  ran.late = !end && end.error().code == Errc::timed_out;
  if (!end) ran.run.problem = end.error().message;
  if (end && end->exit != 0) ran.run.problem = "exited with " + std::to_string(end->exit);
  const KnownValues& values = deployment.hooks.values;
  ran.run.problem = values.hide_in_error(ran.run.problem);
  for (std::string& line : ran.run.output) line = values.hide_in(line);
  co_return std::optional<Ran>(std::move(ran));
}

// Whether the next one is run; else how the phase ends.
Task<std::optional<PhaseOutcome>> judge(Deployment& deployment, HookSettings hook, Ran ran,
                                        WallTime begun_at) {
  const ExecutorParts& parts = deployment.parts;
  Attempt& attempt = deployment.attempt;
  if (ran.run.problem.empty()) {
    parts.progress.remark("hook " + ran.run.name + " is done");
    co_return std::nullopt;
  }
  const std::string what = "hook " + ran.run.name + " " + ran.run.problem;
  if (attempt.phase == Phase::after || !hook.stop_on_failure) {
    spdlog::warn("{}: {}", parts.settings.name, what);
    parts.progress.remark(what);
    add_notice(attempt, what);
    const Result<void> noted = parts.store.save(attempt);
    if (!noted) co_return not_recorded(ran.run.phase, noted.error());
    if (hook.stop_on_failure) co_return PhaseOutcome{};
    co_return std::nullopt;
  }
  bool content = may_be_by_content(hook, ran);
  if (content) content = !co_await was_anything_down(deployment, begun_at);
  const FailureClass cls = content ? FailureClass::content : FailureClass::world;
  PhaseOutcome outcome;
  outcome.result = failed_by(cls);
  outcome.failure = failure_of(hook, ran, cls);
  co_return outcome;
}

}  // namespace

Task<PhaseOutcome> hooks(Deployment& deployment, std::vector<HookSettings> hooks) {
  Store& store = deployment.parts.store;
  Attempt& attempt = deployment.attempt;
  const std::string phase(to_string(attempt.phase));
  if (attempt.phase == Phase::before) attempt.hooks.clear();
  std::erase_if(attempt.hooks, [&](const HookRun& run) { return run.phase == phase; });
  Result<void> noted = store.save(attempt);
  if (!noted) co_return not_recorded(phase, noted.error());
  for (const HookSettings& hook : hooks) {
    const WallTime begun_at = wall_now();
    Result<std::optional<Ran>> ran = std::optional<Ran>();
    if (!deployment.stop_requested) ran = co_await run_hook(deployment, hook);
    // Being stopped says nothing of the hook: the next start runs it again.
    if (deployment.stop_requested) {
      PhaseOutcome stopped;
      stopped.result = PhaseResult::failed_by_world;
      co_return stopped;
    }
    if (!ran) co_return not_recorded(phase, ran.error());
    if (!*ran) continue;
    attempt.hooks.push_back((*ran)->run);
    noted = store.save(attempt);
    if (!noted) co_return not_recorded(phase, noted.error());
    std::optional<PhaseOutcome> end = co_await judge(deployment, hook, std::move(**ran), begun_at);
    if (end) co_return std::move(*end);
  }
  co_return PhaseOutcome{};
}

}  // namespace trimtab::phases
