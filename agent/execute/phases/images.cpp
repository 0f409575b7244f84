#include "agent/execute/phases/images.hpp"

#include "agent/execute/puller.hpp"
#include "common/unless.hpp"

namespace trimtab::phases {

Task<std::optional<Result<void>>> bring_images(DeploymentRun& run,
                                               std::map<std::string, ImagePin> images,
                                               std::function<bool()> unwanted) {
  const DeploymentDeps& deps = run.deps;
  Puller puller({deps.settings.name, deps.registry, deps.docker, deps.progress},
                run.hooks.pull_bytes);
  auto pulled = puller.pull(std::move(images));
  co_return co_await unless(&deps.engine_changed, std::move(unwanted), std::move(pulled));
}

}  // namespace trimtab::phases
