#include "agent/execute/phases/images.hpp"

#include "agent/execute/puller.hpp"
#include "common/unless.hpp"

namespace trimtab::phases {

Task<std::optional<Result<void>>> bring_images(Deployment& deployment,
                                               std::map<std::string, ImagePin> images,
                                               std::function<bool()> unwanted) {
  const ExecutorParts& parts = deployment.parts;
  Puller puller({parts.settings.name, parts.registry, parts.docker, parts.progress},
                deployment.hooks.pull_bytes);
  auto pulled = puller.pull(std::move(images));
  co_return co_await unless(&parts.engine_changed, std::move(unwanted), std::move(pulled));
}

}  // namespace trimtab::phases
