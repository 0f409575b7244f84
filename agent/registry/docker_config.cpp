#include "agent/registry/docker_config.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "common/files.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr std::size_t max_config = 1024 * 1024;
constexpr std::string_view docker_hub = "docker.io";
constexpr std::string_view docker_hub_key = "https://index.docker.io/v1/";

// Old versions of Docker stored https://HOST/v1/ instead of HOST.
std::string_view host_of_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  return key.substr(0, key.find('/'));
}

bool key_names(std::string_view key, const std::string& registry) {
  const auto host = host_of_key(key);
  return host == registry || (registry == docker_hub && host == "index.docker.io");
}

// Returns the registry's member of `section`: the exact key, else the first key with its host.
const Json* find_entry(const Json& section, const std::string& registry) {
  if (const auto exact = section.find(docker_server(registry)); exact != section.end())
    return &*exact;
  for (auto entry = section.begin(); entry != section.end(); ++entry)
    if (key_names(entry.key(), registry)) return &entry.value();
  return nullptr;
}

Error malformed(const std::string& registry, const std::string& why) {
  return Error{Errc::invalid, fmt::format("the login for {} is malformed: {}", registry, why),
               "run `docker login` for it again"};
}

Result<std::optional<RegistryLogin>> login_of(const Json& entry, const std::string& registry) {
  RegistryLogin login;
  login.server = docker_server(registry);
  // A password next to an identity token is a placeholder.
  login.identity_token = json_string(entry, "identitytoken");
  if (!login.identity_token.empty()) return std::optional<RegistryLogin>(std::move(login));
  login.username = json_string(entry, "username");
  login.password = json_string(entry, "password");
  if (const auto encoded = json_string(entry, "auth"); !encoded.empty()) {
    auto decoded = base64_decode(encoded);
    if (!decoded) return malformed(registry, "its \"auth\" is not base64");
    // Some versions of `docker login` padded the encoded text with NULs.
    while (decoded->ends_with('\0')) decoded->pop_back();
    const auto colon = decoded->find(':');
    if (colon == std::string::npos || colon == 0)
      return malformed(registry, "its \"auth\" is not user:password");
    login.username = decoded->substr(0, colon);
    login.password = decoded->substr(colon + 1);
  }
  if (login.username.empty() && login.password.empty()) return std::optional<RegistryLogin>();
  if (login.username.empty()) return malformed(registry, "it has a password, but no user name");
  return std::optional<RegistryLogin>(std::move(login));
}

}  // namespace

std::string docker_server(const std::string& registry) {
  return registry == docker_hub ? std::string(docker_hub_key) : registry;
}

Result<StoredLogin> find_login(const Json& config, const std::string& registry) {
  StoredLogin stored;
  if (const Json* helper = find_entry(json_object(config, "credHelpers"), registry)) {
    if (!helper->is_string()) return malformed(registry, "its credential helper is not a name");
    stored.helper = helper->get<std::string>();
    stored.named = true;
    if (!stored.helper.empty()) return stored;
  }

  if (const Json* entry = find_entry(json_object(config, "auths"), registry)) {
    if (!entry->is_object()) return malformed(registry, "its entry is not an object");
    auto login = login_of(*entry, registry);
    if (!login) return login.error();
    stored.login = std::move(*login);
    stored.named = true;
    if (stored.login) return stored;
  }
  // `docker login` leaves an empty entry for what is in the store, but others may fill the store
  // without one.
  stored.helper = json_string(config, "credsStore");
  return stored;
}

DockerConfigFile::DockerConfigFile(std::filesystem::path path) : path_(std::move(path)) {}

Result<StoredLogin> DockerConfigFile::find(const std::string& registry) {
  refresh();
  if (!content_) {
    if (problem_) return *problem_;
    return StoredLogin{};
  }
  auto stored = find_login(*content_, registry);
  if (!stored) return stored.error().context(path_.string());
  return stored;
}

void DockerConfigFile::refresh() {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0 && errno == ENOENT) {
    if (stamp_) ++generation_;
    stamp_.reset();
    content_.reset();
    problem_.reset();
    return;
  }
  // Taken before reading, so that a concurrent write results in a new stamp. All zero if stat
  // failed, so that repeated failures log only one warning.
  const Stamp stamp{status.st_dev, status.st_ino, status.st_size,
                    status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
  if (stamp_ == stamp) return;
  stamp_ = stamp;
  ++generation_;
  problem_.reset();

  auto text = read_file(path_, max_config);
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
