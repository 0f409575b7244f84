#include "agent/reconcile/compose_inputs.hpp"

#include <filesystem>

#include "agent/compose/env_file.hpp"
#include "agent/config/settings.hpp"
#include "common/text.hpp"

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

std::vector<std::string> files_named_by(const Variables& variables) {
  const auto named = variables.find("COMPOSE_FILE");
  if (named == variables.end() || named->second.empty()) return {};
  const auto set = variables.find("COMPOSE_PATH_SEPARATOR");
  const bool is_set = set != variables.end() && set->second.size() == 1;
  return split(named->second, is_set ? set->second.front() : ':');
}

std::vector<std::string> default_files(const std::function<bool(const std::string&)>& exists) {
  const auto first = [&exists](const auto& names) -> std::vector<std::string> {
    for (const char* const name : names) {
      if (exists(name)) return {name};
    }
    return {};
  };
  std::vector<std::string> files = first(default_compose_files);
  if (files.empty()) return files;
  for (std::string& name : first(default_override_files)) files.push_back(std::move(name));
  return files;
}

Variables with_env_file(Variables variables, const std::string& text) {
  Variables all = variables;
  for (const EnvEntry& entry : read_env_file(text)) {
    const auto filled = entry.quote == '\'' ? entry.value : interpolate(entry.value, all);
    all[entry.name] = filled.value_or(entry.value);
  }
  variables.merge(all);
  return variables;
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
