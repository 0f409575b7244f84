#include "agent/reconcile/compose_inputs.hpp"

#include <filesystem>

#include "agent/compose/env_file.hpp"
#include "agent/config/settings.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

// Compose allows a single value in place of a list.
Json as_list(const Json& value) {
  if (value.is_null()) return Json::array();
  return value.is_array() ? value : Json::array({value});
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::string directory_of(const std::string& path) {
  return fs::path(path).parent_path().string();
}

void add_included(const Json& entry, const std::string& base, const Variables& variables,
                  std::vector<FurtherFile>& files) {
  const bool is_long = entry.is_object();
  const Json paths = as_list(is_long ? entry.value("path", Json()) : entry);
  // The first of several files determines the directory of all.
  const auto first =
      paths.empty() ? std::nullopt : path_from(base, text_of(paths.front()), variables);
  if (!first) return;
  std::string directory = directory_of(*first);
  std::vector<std::string> env_files;
  if (is_long) {
    directory =
        path_from(base, json_string(entry, "project_directory"), variables).value_or(directory);
    for (const Json& env_file : as_list(entry.value("env_file", Json()))) {
      if (const auto path = path_from(base, text_of(env_file), variables))
        env_files.push_back(*path);
    }
  }
  if (env_files.empty()) env_files = {*path_from(directory, ".env", {})};
  for (const Json& item : paths) {
    if (const auto path = path_from(base, text_of(item), variables)) {
      files.push_back({*path, directory, env_files});
    }
  }
}

}  // namespace

std::optional<std::string> path_from(const std::string& base, const std::string& path,
                                     const Variables& variables) {
  const std::optional<std::string> filled = interpolate(path, variables);
  if (!filled || filled->empty()) return std::nullopt;
  std::string normal = (fs::path(base) / *filled).lexically_normal().string();
  if (normal == "." || normal == "./") return std::string();
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

std::string project_directory(const std::vector<std::string>& files) {
  return path_from("", directory_of(files.front()), {}).value_or(std::string());
}

std::vector<std::string> possible_env_files(const std::optional<std::string>& named,
                                            const std::vector<std::string>& files) {
  if (named) return {*named};
  const std::string directory = project_directory(files);
  if (directory.empty()) return {default_env_file};
  return {directory + "/" + default_env_file, default_env_file};
}

bool is_remote(const std::string& path) {
  return path.find("://") != std::string::npos || path.starts_with("git@") ||
         path.starts_with("oci:") || path.starts_with("github.com/");
}

std::vector<std::string> env_files_of(const Json& raw) {
  std::vector<std::string> paths;
  for (const auto& item : json_object(raw, "services").items()) {
    if (!item.value().is_object()) continue;
    for (const char* const key : {"env_file", "label_file"}) {
      for (const Json& entry : as_list(item.value().value(key, Json()))) {
        paths.push_back(entry.is_string() ? entry.get<std::string>() : json_string(entry, "path"));
      }
    }
  }
  return paths;
}

std::vector<std::string> build_contexts_of(const Json& raw) {
  std::vector<std::string> paths;
  for (const auto& item : json_object(raw, "services").items()) {
    if (!item.value().is_object() || !item.value().contains("build")) continue;
    const Json& build = item.value()["build"];
    paths.push_back(build.is_object() ? json_string(build, "context") : text_of(build));
  }
  return paths;
}

std::vector<FurtherFile> further_files(const Json& raw, const std::string& base,
                                       const Variables& variables) {
  std::vector<FurtherFile> files;
  for (const Json& entry : json_array(raw, "include")) add_included(entry, base, variables, files);
  for (const auto& item : json_object(raw, "services").items()) {
    if (!item.value().is_object()) continue;
    const auto path =
        path_from(base, json_string(json_object(item.value(), "extends"), "file"), variables);
    if (path) files.push_back({*path, directory_of(*path), {}});
  }
  return files;
}

}  // namespace trimtab
