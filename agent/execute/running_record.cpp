#include "agent/execute/running_record.hpp"

#include "agent/execute/boot_files.hpp"

namespace trimtab {

Task<Result<void>> note_touched(Store& store, Plan plan) {
  RunningSet running = store.running();
  touch(running, plan);
  co_return co_await store.set_running(std::move(running));
}

// Containers that somebody created manually beside the release are not part of it.
Task<Result<RunningSet>> verified_running(DeploymentRun& run, int number, Plan plan) {
  const Store& store = run.deps.store;
  const Result<Rendering> rendering = co_await run.stack.rendering(number);
  if (!rendering) co_return rendering.error();
  const Result<ProjectContainers> found = co_await run.stack.found();
  if (!found) co_return found.error();
  const std::vector<Container> present =
      without_hand_made_rest(found->own, found->signs, *rendering);
  // Services that the plan leaves alone are as they were when it was made: for a rollback that is
  // repeated, that is what the first attempt restored, not what was running before the deployment.
  const RunningSet& ran = run.deployment.ran;
  const RunningSet& before = ran.release == number ? ran : store.running();
  co_return running_after(*store.find(number), before, plan, present);
}

Task<Result<void>> note_running(DeploymentRun& run, int number, Plan plan) {
  const Result<RunningSet> running = co_await verified_running(run, number, std::move(plan));
  if (!running) co_return running.error();
  // It applies from now on, whether or not it can be written: what is gone by the next attempt ran
  // all the same, with its volumes.
  run.deployment.ran = *running;
  const Result<void> saved = co_await save_boot_file(run, number, running->jobs());
  if (!saved) co_return saved;
  Store& store = run.deps.store;
  const Result<void> noted = co_await store.set_running(*running);
  const Result<void> recorded = co_await store.save(run.deployment);
  co_return noted ? recorded : noted;
}

bool is_docker_away(const Result<void>& result) {
  return !result && is_transient(result.error().code) && result.error().code != Errc::no_space;
}

Task<Result<void>> save_boot_file(DeploymentRun& run, int number, std::set<std::string> jobs) {
  const Result<Rendering> rendering = co_await run.stack.rendering(number);
  if (!rendering) co_return rendering.error();
  const DeploymentDeps& deps = run.deps;
  const auto saved = co_await save_boot_files(deps.docker, deps.settings, deps.store, *rendering,
                                              number, std::move(jobs));
  if (!saved) co_return saved.error();
  co_return Result<void>();
}

Task<Result<Base>> base_of_plans(DeploymentRun& run) {
  const Store& store = run.deps.store;
  Base base;
  base.running = store.running();
  const std::set<int> numbers = releases_of(base.running);
  for (const int number : numbers) {
    const Result<Rendering> rendering = co_await run.stack.rendering(number);
    const ReleaseRecord* const release = store.find(number);
    if (!rendering && is_transient(rendering.error().code)) co_return rendering.error();
    if (!rendering || release == nullptr) continue;
    base.releases[number] = {*rendering, release->mounted_files};
  }
  co_return base;
}

}  // namespace trimtab
