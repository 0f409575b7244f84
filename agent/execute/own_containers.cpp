#include "agent/execute/own_containers.hpp"

#include <algorithm>
#include <filesystem>

#include "agent/compose/compose_yaml.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

// Returns the `container_name`s in the kept releases, as far as they may be the names of these
// containers. Only renderings that contain such a name are parsed, because a copy of a container
// may stay indefinitely.
std::set<std::string> known_names(const Store& store, const std::vector<Container>& odd) {
  std::set<std::string> names;
  for (const auto& [number, release] : store.releases()) {
    const Result<std::string> text = store.rendering(number);
    const bool may_say_it =
        text && std::any_of(odd.begin(), odd.end(), [&](const Container& container) {
          return text->find(without_old_id(container.name)) != std::string::npos;
        });
    if (!may_say_it) continue;
    Result<Json> model = parse_yaml(*text);
    if (!model) continue;
    Rendering rendering;
    rendering.model = std::move(*model);
    names.merge(container_names(rendering));
  }
  return names;
}

// Everything except chosen names.
OwnSigns own_signs(const StackSettings& settings, const Store& store, const std::string& project) {
  OwnSigns signs;
  signs.project = project;
  signs.directory = settings.directory.string();
  signs.state_directory = std::filesystem::absolute(store.directory()).lexically_normal().string();
  for (const auto& [number, release] : store.releases()) {
    for (const auto& [service, ids] : release.seen) signs.ids.insert(ids.begin(), ids.end());
  }
  return signs;
}

// Replaces the prefix of a path that leads into the directory in another way, such as through a
// link, by the directory's name.
std::string as_seen_from(const fs::path& directory, const std::string& path) {
  const std::string usual = directory.string();
  if (path.empty() || path[0] != '/' || path == usual || path.starts_with(usual + "/")) return path;
  std::error_code ec;
  const fs::path real = fs::weakly_canonical(path, ec);
  const fs::path inside =
      ec ? fs::path() : real.lexically_relative(fs::weakly_canonical(directory, ec));
  if (ec || inside.empty() || *inside.begin() == "..") return path;
  return inside == "." ? usual : (directory / inside).string();
}

}  // namespace

void name_paths_as(const fs::path& directory, std::vector<Container>& containers) {
  for (Container& container : containers) {
    std::string seen = as_seen_from(directory, container.working_dir);
    if (seen == container.working_dir) continue;
    container.working_dir = std::move(seen);
    std::vector<std::string> files = split(container.config_files, ',');
    for (std::string& file : files) file = as_seen_from(directory, file);
    container.config_files = join(files, ",");
    for (auto& [target, source] : container.bind_mounts) source = as_seen_from(directory, source);
  }
}

Task<Result<ProjectContainers>> project_containers(Docker& docker, const StackSettings& settings,
                                                   const Store& store, std::string project) {
  auto containers = co_await docker.project_containers(project);
  if (!containers) co_return containers.error();
  name_paths_as(settings.directory, *containers);
  ProjectContainers found;
  found.signs = own_signs(settings, store, project);
  // Chosen names are only read if there is a container that may have one.
  const std::vector<Container> odd = oddly_named(*containers, found.signs);
  if (!odd.empty()) found.signs.names = known_names(store, odd);
  const bool takes_over = found.signs.ids.empty();
  if (takes_over) found.signs.names.merge(names_to_take_over(*containers, found.signs));
  found.own = own_among(*containers, found.signs);
  found.foreign = foreign_among(*containers, found.signs);
  co_return found;
}

Task<Result<std::vector<Container>>> own_containers(Docker& docker, const StackSettings& settings,
                                                    const Store& store, std::string project) {
  auto found = co_await project_containers(docker, settings, store, std::move(project));
  if (!found) co_return found.error();
  co_return std::move(found->own);
}

}  // namespace trimtab
