#include "agent/execute/boot_files.hpp"

#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/known_volumes.hpp"
#include "agent/execute/own_containers.hpp"
#include "agent/model/service.hpp"
#include "agent/model/variable_contents.hpp"
#include "agent/units/stack_unit.hpp"

namespace trimtab {

BootFiles boot_files(const BootInput& input) {
  const std::vector<std::string> names = input.rendering->service_names();
  std::set<std::string> left_out = input.jobs;
  left_out.insert(input.taken.begin(), input.taken.end());
  for (const std::string& name : names) {
    for (std::string& job : jobs_awaited_by(input.rendering->service(name))) {
      left_out.insert(std::move(job));
    }
  }
  std::vector<std::string> services;
  for (const std::string& name : names) {
    if (!left_out.contains(name)) services.push_back(name);
  }
  const Json boots = with_external_volumes(*input.rendering, input.project, input.volumes);
  return {boot_file_text(services, kept_values(input.rendering->model)), emit_yaml(boots)};
}

Task<Result<std::set<std::string>>> save_boot_files(Docker& docker, const StackSettings& settings,
                                                    Store& store, Rendering rendering, int number,
                                                    std::set<std::string> jobs) {
  BootInput input;
  input.rendering = &rendering;
  input.project = store.find(number)->project;
  input.jobs = std::move(jobs);
  const auto containers = co_await project_containers(docker, settings, store, input.project);
  if (!containers) co_return containers.error();
  input.taken = services_taken_by(containers->foreign);
  const auto present = co_await docker.volumes();
  if (!present) co_return present.error();
  input.volumes = *present;
  for (const LostVolume& known : known_volumes(store, number)) input.volumes.insert(known.volume);
  BootFiles files = boot_files(input);
  const Result<void> saved =
      co_await store.save_boot_files(number, std::move(files.yaml), std::move(files.env));
  if (!saved) co_return saved.error();
  co_return input.taken;
}

}  // namespace trimtab
