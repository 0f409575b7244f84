#include "agent/plan/volumes.hpp"

#include <fmt/core.h>

#include "agent/model/service.hpp"

namespace trimtab {
namespace {

const Json& definition_of(const Rendering& rendering, const std::string& volume) {
  return json_object(json_object(rendering.model, "volumes"), volume);
}

// Whether the volume differs from the result of `docker volume create NAME`. Options may be secret,
// so they are not shown.
bool has_options(const Rendering& rendering, const std::string& project, const std::string& name) {
  for (const auto& item : json_object(rendering.model, "volumes").items()) {
    if (volume_name(rendering, project, item.key()) != name) continue;
    const Json& definition = item.value();
    return !json_object(definition, "driver_opts").empty() ||
           json_string(definition, "driver", "local") != "local";
  }
  return false;
}

// docker-compose 1 also writes {external: {name: …}}.
bool is_external(const Json& definition) {
  return json_bool(definition, "external") || !json_object(definition, "external").empty();
}

}  // namespace

std::string volume_name(const Rendering& rendering, const std::string& project,
                        const std::string& volume) {
  const Json& definition = definition_of(rendering, volume);
  const std::string external = json_string(json_object(definition, "external"), "name");
  if (!external.empty()) return external;
  return json_string(definition, "name", is_external(definition) ? volume : project + "_" + volume);
}

std::map<std::string, std::set<std::string>> named_volumes(const Rendering& rendering,
                                                           const std::string& project) {
  std::map<std::string, std::set<std::string>> found;
  for (const std::string& service : rendering.service_names()) {
    for (const Mount& mount : mounts_of(rendering.service(service))) {
      if (mount.type != "volume" || mount.source.empty()) continue;
      if (is_external(definition_of(rendering, mount.source))) continue;
      found[volume_name(rendering, project, mount.source)].insert(service);
    }
  }
  return found;
}

Json with_external_volumes(const Rendering& rendering, const std::string& project,
                           const std::set<std::string>& volumes) {
  Json model = rendering.model;
  for (const auto& item : json_object(rendering.model, "volumes").items()) {
    std::string name = volume_name(rendering, project, item.key());
    if (!volumes.contains(name)) continue;
    model["volumes"][item.key()] = Json{{"name", std::move(name)}, {"external", true}};
  }
  return model;
}

std::string LostVolume::text() const {
  return fmt::format("the volume {}, in which the service {} keeps its data, is gone", volume,
                     service);
}

std::string LostVolume::hint() const {
  return fmt::format(
      "restore it; or, if it may start empty, `docker volume create {}`{}", volume,
      has_options ? " with the driver and the options that the compose file gives it" : "");
}

std::set<std::string> services_that_ran(const ReleaseRecord& release) {
  std::set<std::string> ran = release.jobs;
  for (const auto& [service, ids] : release.seen) ran.insert(service);
  return ran;
}

std::vector<LostVolume> lost_volumes(const ReleaseRecord& release, const Rendering& rendering,
                                     const std::set<std::string>& present) {
  const std::set<std::string> ran = services_that_ran(release);
  std::vector<LostVolume> lost;
  for (const auto& [volume, services] : named_volumes(rendering, release.project)) {
    if (present.contains(volume)) continue;
    for (const std::string& service : services) {
      if (!ran.contains(service)) continue;
      lost.push_back({volume, service, has_options(rendering, release.project, volume)});
      break;
    }
  }
  return lost;
}

std::vector<LostVolume> made_anew(std::vector<LostVolume> lost, const Rendering& rendering,
                                  const std::string& project) {
  std::set<std::string> made;
  for (const auto& item : json_object(rendering.model, "volumes").items()) {
    if (!is_external(item.value())) made.insert(volume_name(rendering, project, item.key()));
  }
  std::erase_if(lost, [&](const LostVolume& one) { return !made.contains(one.volume); });
  return lost;
}

}  // namespace trimtab
