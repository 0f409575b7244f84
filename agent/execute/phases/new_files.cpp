#include "agent/execute/phases/new_files.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/execute/mounted_files.hpp"
#include "agent/execute/operations.hpp"
#include "agent/execute/reloading.hpp"
#include "agent/model/service.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"
#include "common/log.hpp"

namespace trimtab::phases {
namespace {

std::string container_of(const StackSettings& settings) {
  return fmt::format("trimtab.{}.check", settings.name);
}

// Returns the services whose new files can be checked beforehand. Replaced ones are included,
// because the old container would be gone before the new one finds that it cannot start.
std::vector<std::string> services_to_try(const Plan& plan, const Rendering& rendering) {
  std::vector<std::string> services = plan.with(Action::reload);
  for (const Action action : {Action::recreate, Action::roll}) {
    for (std::string& service : plan.with(action)) services.push_back(std::move(service));
  }
  std::erase_if(services, [&](const std::string& service) {
    const auto how = reload_of(rendering.service(service));
    return !how || how->check.empty();
  });
  return services;
}

// Returns where the files are in the staged checkout, by their paths in the container. Leaves out
// links, which could lead Docker to any file of the host.
std::map<std::string, std::string> staged(std::map<std::string, std::string> files,
                                          const std::filesystem::path& trial) {
  std::error_code ec;
  std::erase_if(files, [&](const auto& file) {
    return !std::filesystem::is_regular_file(
        std::filesystem::symlink_status(trial / file.second, ec));
  });
  for (auto& [target, path] : files) path = (trial / path).string();
  return files;
}

// The check uses the image of the release and the mounts of the running container. Has no files if
// there is nothing to check.
Task<Result<ThrowawayRequest>> check_request_for(DeploymentRun& run, std::string service,
                                                 Release release, Rendering rendering) {
  const DeploymentDeps& deps = run.deps;
  ThrowawayRequest request;
  const RunningService* const known = run.deployment.from.find(service);
  const ReleaseRecord* const before = known == nullptr ? nullptr : deps.store.find(known->release);
  if (before == nullptr) co_return request;
  const FileBlobs files_before = files_of(*before, service);
  const auto present = co_await run.stack.containers();
  if (!present) co_return present.error();
  const auto ids = co_await run.stack.image_ids(release);
  if (!ids) co_return ids.error();
  const Result<Rendering> old = co_await run.stack.rendering(known->release);
  if (!old) co_return request;
  const std::vector<Mount> mounts = mounts_of(rendering.service(service));
  if (mounts != mounts_of(old->service(service))) co_return request;
  const std::vector<Container> theirs = containers_of(*present, {service});
  const auto like = std::find_if(theirs.begin(), theirs.end(), [](const Container& container) {
    return container.state == ContainerState::running;
  });
  if (like == theirs.end()) co_return request;
  request.name = container_of(deps.settings);
  request.like = like->id;
  request.image = ids->contains(service) ? ids->at(service) : like->image_id;
  request.hosts = rendering.service_names();
  request.files = staged(
      files_to_try(files_before, files_of(release, service), mounts, deps.settings.directory),
      run.workspace->trial());
  co_return request;
}

Task<Result<void>> try_files_of(DeploymentRun& run, std::string service, Release release,
                                Rendering rendering) {
  const auto how = reload_of(rendering.service(service));
  Result<ThrowawayRequest> request = co_await check_request_for(run, service, release, rendering);
  if (!request) co_return request.error();
  if (request->files.empty()) co_return Result<void>();
  request->argv = how->check;
  const Result<ThrowawayResult> end = co_await run.deps.docker.run_throwaway(std::move(*request));
  if (!end && is_transient(end.error().code)) co_return end.error();
  if (!end) {
    // The check is repeated before the signal is sent.
    run.deps.progress.note("the new files could not be checked: " + end.error().text());
    co_return Result<void>();
  }
  if (end->exit_code == 0) co_return Result<void>();
  co_return check_error(service, *how, end->exit_code, end->output);
}

}  // namespace

Task<Result<void>> check_new_config(DeploymentRun& run, Release release) {
  const Result<Rendering> rendering = co_await run.stack.rendering(release.number);
  if (!rendering) co_return rendering.error();
  const std::vector<std::string> services = services_to_try(run.deployment.plan, *rendering);
  if (services.empty()) co_return Result<void>();
  const std::filesystem::path trial = run.workspace->trial();
  Result<void> tried = co_await run.workspace->git().stage(release.commit, trial);
  for (const std::string& service : services) {
    if (tried) tried = co_await try_files_of(run, service, release, *rendering);
  }
  const auto remove = [&trial] { return remove_tree(trial); };
  const Result<void> removed = co_await on_disk_thread(remove);
  if (!removed) spdlog::warn("{}: {}", run.deps.settings.name, removed.error().text());
  co_return tried;
}

Task<void> end_trials(Docker& docker, const StackSettings& settings) {
  const Result<void> removed = co_await docker.remove(container_of(settings));
  if (!removed) spdlog::debug("{}: {}", settings.name, removed.error().text());
}

}  // namespace trimtab::phases
