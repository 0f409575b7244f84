#include "cli/init_stack_file.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <variant>

#include "agent/config/load.hpp"
#include "agent/config/yaml.hpp"
#include "agent/git/git.hpp"
#include "common/json.hpp"
#include "common/text.hpp"
#include "common/yaml_text.hpp"

namespace trimtab::cli {

namespace {

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // if there is no slash: npos + 1 is 0
}

bool is_compose_name(std::string_view name) {
  if (!name.ends_with(".yaml") && !name.ends_with(".yml")) return false;
  if (name.starts_with("docker-")) name.remove_prefix(7);
  return name.starts_with("compose.") || name.starts_with("compose-");
}

bool is_for_production(std::string_view path) {
  return base_name(path).find("prod") != std::string_view::npos;
}

const YamlNode* find_value(const YamlNode& node, std::string_view key) {
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    if (node.keys[i].text == key) return &node.items[i];
  }
  return nullptr;
}

// Whether every service has an image, a build or an extends. Assumes so if the text is unknown or
// cannot be parsed; if that is wrong, Compose explains it best.
bool stands_alone(const std::map<std::string, std::string>& texts, const std::string& path) {
  const auto text = texts.find(path);
  if (text == texts.end()) return true;
  const auto parsed = read_yaml_nodes(text->second);
  const auto* const root = std::get_if<YamlNode>(&parsed);
  const YamlNode* const services = root == nullptr ? nullptr : find_value(*root, "services");
  if (services == nullptr) return true;
  return std::all_of(services->items.begin(), services->items.end(), [](const YamlNode& service) {
    return find_value(service, "image") != nullptr || find_value(service, "build") != nullptr ||
           find_value(service, "extends") != nullptr;
  });
}

std::string default_compose(const std::vector<std::string>& compose_files) {
  for (const char* const usual : default_compose_files) {
    if (std::find(compose_files.begin(), compose_files.end(), usual) != compose_files.end()) {
      return usual;
    }
  }
  return {};
}

}  // namespace

std::string propose_name(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with(".git")) url.remove_suffix(4);
  url.remove_prefix(url.find_last_of("/:") + 1);  // if there is none: npos + 1 is 0
  std::string name;
  for (const char c : url) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool fits = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                      lower == '_' || lower == '-';
    name += fits ? lower : '-';
  }
  name.erase(0, name.find_first_not_of("-_"));
  name = name.substr(0, 63);
  return is_stack_name(name) ? name : std::string();
}

std::vector<std::string> compose_files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  std::copy_if(paths.begin(), paths.end(), std::back_inserter(found),
               [](const std::string& path) { return is_compose_name(base_name(path)); });
  const auto depth = [](const std::string& path) {
    return std::count(path.begin(), path.end(), '/');
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const std::string& a, const std::string& b) { return depth(a) < depth(b); });
  return found;
}

std::vector<std::string> propose_compose(const std::vector<std::string>& compose_files,
                                         const std::map<std::string, std::string>& texts) {
  if (compose_files.empty()) return {};
  const std::string usual = default_compose(compose_files);
  const auto production =
      std::find_if(compose_files.begin(), compose_files.end(),
                   [](const std::string& path) { return is_for_production(path); });
  if (production != compose_files.end()) {
    if (usual.empty() || stands_alone(texts, *production)) return {*production};
    return {usual, *production};
  }
  return {usual.empty() ? compose_files.front() : usual};
}

bool is_usual_compose(const std::vector<std::string>& chosen,
                      const std::vector<std::string>& compose_files) {
  return chosen.size() == 1 && chosen.front() == default_compose(compose_files);
}

std::vector<std::string> env_keys(std::string_view text) {
  std::vector<std::string> keys;
  for (const std::string& raw : split(text, '\n')) {
    std::string_view line = trim(raw);
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos || equals == 0) continue;
    keys.emplace_back(trim(line.substr(0, equals)));
  }
  return keys;
}

std::string stack_file_text(const StackSettings& stack) {
  const GitSettings usual;
  const std::string default_directory = "/srv/" + stack.name;
  const auto line = [](const std::string& indent, const std::string& key, const std::string& value,
                       bool is_default = false) {
    return value.empty() ? std::string()
                         : indent + (is_default ? "# " : "") + key + ": " + value + "\n";
  };
  const auto path = [](const std::filesystem::path& file) {
    return file.empty() ? std::string() : yaml_text(file.string());
  };
  std::vector<std::string> compose;
  for (const std::string& file : stack.compose) compose.push_back(yaml_text(file));

  std::string text =
      "# Made by `trimtab init`. `man trimtab.yaml` has all keys; a commented one is the default.\n"
      "# After a change: `trimtab check`, then `systemctl reload trimtabd`.\n\n"
      "git:\n";
  text += line("  ", "url", yaml_text(stack.git.url));
  text += line("  ", "ref", yaml_text(stack.git.ref), stack.git.ref == usual.ref);
  text += line("  ", "key", path(stack.git.key));
  if (stack.git.known_hosts != default_known_hosts) {
    text += line("  ", "known_hosts", path(stack.git.known_hosts));
  }
  text += line("  ", "token_file", path(stack.git.token_file));
  text += "\n# The live checkout: .env and other files that Git does not track are left alone.\n";
  text += line("", "directory", path(stack.directory), stack.directory == default_directory);
  if (!compose.empty()) text += line("", "compose", "[" + join(compose, ", ") + "]");
  text +=
      "\n# Addresses that must answer before a release is good, besides healthy containers:\n"
      "# gate:\n"
      "#   probe: [{url: \"http://127.0.0.1/\", status: 200}]\n";
  return text;
}

}  // namespace trimtab::cli
