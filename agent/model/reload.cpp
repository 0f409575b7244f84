#include "agent/model/reload.hpp"

#include <algorithm>
#include <array>

#include "agent/model/service.hpp"

namespace trimtab {
namespace {

constexpr std::array<std::string_view, 14> signal_names{"ALRM", "CONT", "HUP",  "INT",  "IO",
                                                        "PIPE", "PWR",  "QUIT", "TERM", "TTIN",
                                                        "TTOU", "USR1", "USR2", "WINCH"};

std::string_view without_sig(std::string_view name) {
  return name.starts_with("SIG") ? name.substr(3) : name;
}

// Returns "nginx" for "registry:5000/acme/nginx:1.27@sha256:…".
std::string_view last_part(std::string_view image) {
  image = image.substr(0, image.find('@'));
  image.remove_prefix(image.rfind('/') + 1);
  return image.substr(0, image.find(':'));
}

std::string first_word(const Json& service, const char* key) {
  for (const Json& word : json_array(service, key)) {
    return word.is_string() ? word.get<std::string>() : std::string();
  }
  const std::string text = json_string(service, key);
  return text.substr(0, text.find(' '));
}

bool is_nginx(const Json& service) {
  return last_part(json_string(service, "image")) == "nginx" ||
         first_word(service, "command") == "nginx" || first_word(service, "entrypoint") == "nginx";
}

bool is_read_at_start(const Mount& mount) {
  return mount.target.starts_with("/etc/nginx/templates") ||
         mount.target.starts_with("/docker-entrypoint");
}

}  // namespace

bool is_signal_name(std::string_view name) {
  return std::find(signal_names.begin(), signal_names.end(), without_sig(name)) !=
         signal_names.end();
}

std::optional<Reload> reload_of(const Json& service) {
  Reload reload;
  const Json& said = json_object(json_object(service, "x-trimtab"), "reload");
  if (!said.empty()) {
    for (const Json& word : json_array(said, "check")) {
      if (word.is_string()) reload.check.push_back(word.get<std::string>());
    }
    reload.signal = without_sig(json_string(said, "signal", "HUP"));
    return reload;
  }
  if (!is_nginx(service)) return std::nullopt;
  const std::vector<Mount> mounts = mounts_of(service);
  reload.check = {"nginx", "-t"};
  reload.command = {"nginx", "-s", "reload"};
  reload.signal = "HUP";
  reload.files = std::none_of(mounts.begin(), mounts.end(), is_read_at_start);
  return reload;
}

}  // namespace trimtab
