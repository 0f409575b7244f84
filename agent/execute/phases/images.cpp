#include "agent/execute/phases/images.hpp"

#include "agent/execute/puller.hpp"

namespace trimtab::phases {

Task<Result<void>> bring_images(Deployment& deployment, std::map<std::string, ImagePin> images) {
  const ExecutorParts& parts = deployment.parts;
  Puller puller({parts.settings.name, parts.registry, parts.docker, parts.progress},
                deployment.hooks.pull_bytes);
  co_return co_await puller.pull(std::move(images));
}

}  // namespace trimtab::phases
