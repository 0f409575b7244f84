#include "agent/execute/phases/checkout.hpp"

#include "agent/resolve/paths.hpp"

namespace trimtab::phases {

Task<Result<SwitchReport>> move_checkout(DeploymentRun& run, int from, int to) {
  const DeploymentDeps& deps = run.deps;
  std::set<std::string> in_place;
  for (const int number : {from, to}) {
    const ReleaseRecord* const release = deps.store.find(number);
    if (release == nullptr) continue;
    const Result<Rendering> rendering = co_await run.stack.rendering(number);
    // The release being left is replaced anyway, so only the target's mounted files must be known.
    if (!rendering && number != to) continue;
    if (!rendering) co_return rendering.error();
    const Result<std::vector<TreeEntry>> tree = co_await run.workspace->git().tree(release->commit);
    if (!tree) co_return tree.error();
    const auto mounted = mounted_paths(rendering->model, deps.settings.directory.string());
    const auto files = files_mounted_alone(mounted, *tree);
    in_place.insert(files.begin(), files.end());
  }
  const ReleaseRecord* const before = deps.store.find(from);
  const std::string from_commit = before == nullptr ? std::string() : before->commit;
  const std::string to_commit = deps.store.find(to)->commit;
  const std::vector<std::string> paths(in_place.begin(), in_place.end());
  co_return co_await run.workspace->git().checkout_live(run.workspace->live(), from_commit,
                                                        to_commit, paths, run.workspace->saved());
}

}  // namespace trimtab::phases
