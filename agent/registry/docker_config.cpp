#include "agent/registry/docker_config.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "common/files.hpp"
#include "common/hash.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr std::size_t largest_config = 1024 * 1024;
constexpr std::string_view docker_hub = "docker.io";
constexpr std::string_view docker_hub_key = "https://index.docker.io/v1/";

// The name under which `docker login` stores a registry, and the Engine expects it.
std::string server_key(const std::string& registry) {
  return registry == docker_hub ? std::string(docker_hub_key) : registry;
}

// Old versions of Docker stored https://HOST/v1/ where today's store HOST.
std::string_view host_of_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  return key.substr(0, key.find('/'));
}

bool key_names(std::string_view key, const std::string& registry) {
  const auto host = host_of_key(key);
  return host == registry || (registry == docker_hub && host == "index.docker.io");
}

// The registry's member of `section`: the exact key, else the first that names its host.
const Json* find_entry(const Json& section, const std::string& registry) {
  if (const auto exact = section.find(server_key(registry)); exact != section.end()) return &*exact;
  for (auto entry = section.begin(); entry != section.end(); ++entry)
    if (key_names(entry.key(), registry)) return &entry.value();
  return nullptr;
}

Error unsupported(const std::string& registry, const std::string& what) {
  return Error{
      Errc::invalid,
      "the login for " + registry + " is kept by " + what + ", which trimtab does not support yet",
      "log in on this host with a config.json that has neither credsStore nor credHelpers"};
}

Error malformed(const std::string& registry, const std::string& why) {
  return Error{Errc::invalid, "the login for " + registry + " is malformed: " + why,
               "run `docker login` for it again"};
}

Result<std::optional<RegistryLogin>> login_of(const Json& entry, const std::string& registry) {
  RegistryLogin login;
  login.server = server_key(registry);
  login.username = json_string(entry, "username");
  login.password = json_string(entry, "password");
  if (const auto encoded = json_string(entry, "auth"); !encoded.empty()) {
    auto decoded = base64_decode(encoded);
    if (!decoded) return malformed(registry, "its \"auth\" is no base64");
    // `docker login` of some versions padded what it encoded.
    while (decoded->ends_with('\0')) decoded->pop_back();
    const auto colon = decoded->find(':');
    if (colon == std::string::npos || colon == 0)
      return malformed(registry, "its \"auth\" does not hold user:password");
    login.username = decoded->substr(0, colon);
    login.password = decoded->substr(colon + 1);
  }
  if (login.username.empty() && login.password.empty()) return std::optional<RegistryLogin>();
  if (login.username.empty()) return malformed(registry, "it has a password, but no user name");
  return std::optional<RegistryLogin>(std::move(login));
}

}  // namespace

Result<std::optional<RegistryLogin>> find_login(const Json& config, const std::string& registry) {
  if (const Json* helper = find_entry(json_object(config, "credHelpers"), registry);
      helper != nullptr && helper->is_string())
    return unsupported(registry, "the credential helper docker-credential-" +
                                     printable(helper->get<std::string>()));

  const Json* entry = find_entry(json_object(config, "auths"), registry);
  if (entry == nullptr) return std::optional<RegistryLogin>();
  if (!entry->is_object()) return malformed(registry, "its entry is no object");
  if (!json_string(*entry, "identitytoken").empty())
    return unsupported(registry, "an identity token");
  auto login = login_of(*entry, registry);
  if (!login || login->has_value()) return login;

  // An empty entry beside a credsStore says that the login is in that store.
  if (const auto store = json_string(config, "credsStore"); !store.empty())
    return unsupported(registry, "the credential store docker-credential-" + printable(store));
  return login;
}

DockerConfigFile::DockerConfigFile(std::filesystem::path path) : path_(std::move(path)) {}

Result<std::optional<RegistryLogin>> DockerConfigFile::login_for(const std::string& registry) {
  refresh();
  if (!content_) {
    if (problem_) return *problem_;
    return std::optional<RegistryLogin>();
  }
  auto login = find_login(*content_, registry);
  if (!login) return login.error().context(path_.string());
  return login;
}

void DockerConfigFile::refresh() {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0 && errno == ENOENT) {
    stamp_.reset();
    content_.reset();
    problem_.reset();
    return;
  }
  // Taken before the file is read: what is written meanwhile makes a new stamp. Where stat failed
  // it is all zero, so that one warning stands for all tries.
  const Stamp stamp{status.st_dev, status.st_ino, status.st_size,
                    status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
  if (stamp_ == stamp) return;
  stamp_ = stamp;
  problem_.reset();

  auto text = read_file(path_, largest_config);
  if (!text) {
    problem_ = text.error();
  } else if (auto parsed = parse_json(*text); !parsed) {
    problem_ = parsed.error().context(path_.string());
  } else if (!parsed->is_object()) {
    problem_ = Error{Errc::invalid, path_.string() + ": it is not a JSON object", {}};
  } else {
    content_ = std::move(*parsed);
    return;
  }
  problem_->code = Errc::invalid;
  problem_->hint = "repair it, or remove it and run `docker login` again";
  spdlog::warn("{}; {}", problem_->text(),
               content_ ? "the logins read before stay in use" : "no logins are used");
}

}  // namespace trimtab
