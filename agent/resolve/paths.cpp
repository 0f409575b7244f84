#include "agent/resolve/paths.hpp"

#include "agent/model/service.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

bool is_below(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.compare(0, directory.size(), directory) == 0 &&
         path[directory.size()] == '/';
}

// `text` may continue after the path: Compose 1.29 writes mounts as "source:target:mode".
bool starts_with_path(const std::string& text, const std::string& directory) {
  return text.compare(0, directory.size(), directory) == 0 &&
         (text.size() == directory.size() || text[directory.size()] == '/' ||
          text[directory.size()] == ':');
}

}  // namespace

void take_root_off(Json& model, const std::string& root) {
  if (model.is_string()) {
    auto text = model.get<std::string>();
    if (!starts_with_path(text, root)) {
      if (text.find(root) != std::string::npos)
        model = replace_all(std::move(text), root + "/", "/");
      return;
    }
    const std::string path = text.substr(root.size());
    model = path.empty() || path.front() == ':' ? "/" + path : path;
    return;
  }
  if (model.is_structured()) {
    for (Json& item : model) take_root_off(item, root);
  }
}

std::map<std::string, std::vector<std::string>> mounted_paths(const Json& model,
                                                              const std::string& live) {
  std::map<std::string, std::vector<std::string>> mounted;
  for (const auto& item : json_object(model, "services").items()) {
    std::vector<std::string> sources = config_files_of(model, item.value());
    for (const Mount& mount : mounts_of(item.value())) {
      if (mount.type == "bind") sources.push_back(mount.source);
    }
    for (std::string source : sources) {
      while (source.size() > 1 && source.back() == '/') source.pop_back();
      if (source == live) {
        mounted[item.key()].push_back(".");
      } else if (is_below(source, live)) {
        mounted[item.key()].push_back(source.substr(live.size() + 1));
      }
    }
  }
  return mounted;
}

std::map<std::string, std::map<std::string, std::string>> mounted_files(
    const std::map<std::string, std::vector<std::string>>& mounted,
    const std::vector<TreeEntry>& tree) {
  std::map<std::string, std::map<std::string, std::string>> files;
  for (const auto& [service, paths] : mounted) {
    for (const std::string& path : paths) {
      for (const TreeEntry& entry : tree) {
        if (path == "." || entry.path == path || is_below(entry.path, path)) {
          files[service][entry.path] = entry.blob;
        }
      }
    }
  }
  return files;
}

std::set<std::string> files_mounted_alone(
    const std::map<std::string, std::vector<std::string>>& mounted,
    const std::vector<TreeEntry>& tree) {
  std::set<std::string> paths;
  for (const auto& [service, sources] : mounted) paths.insert(sources.begin(), sources.end());
  std::set<std::string> files;
  for (const TreeEntry& entry : tree) {
    const bool regular = entry.mode == "100644" || entry.mode == "100755";
    if (regular && paths.contains(entry.path)) files.insert(entry.path);
  }
  return files;
}

}  // namespace trimtab
