// Docker's config.json: the logins stored by `docker login`.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "agent/model/login.hpp"
#include "common/json.hpp"

namespace trimtab {

// Where config.json keeps the login for one registry.
struct StoredLogin {
  std::optional<RegistryLogin> login;  // stored in the file itself
  std::string helper;  // otherwise the NAME of the docker-credential-NAME that has it
  // The file names this registry; otherwise the helper is the default store for registries not
  // named.
  bool named = false;
};

// Returns the name of a registry ("docker.io", "ghcr.io", "127.0.0.1:5000") in config.json, `docker
// login` and the Engine, where only Docker Hub has a different one.
std::string docker_server(const std::string& registry);

// Finds what a parsed config.json says about a registry; neither login nor helper if nothing.
// Errc::invalid if the registry's entry is malformed.
Result<StoredLogin> find_login(const Json& config, const std::string& registry);

// The file, reread after it was replaced or edited.
class DockerConfigFile {
 public:
  explicit DockerConfigFile(std::filesystem::path path);

  // As find_login. Without a file there are no logins. While the file cannot be read or is not JSON
  // (somebody is writing it), its last good content applies and one warning is logged.
  // Errc::invalid if there has never been a good one.
  Result<StoredLogin> find(const std::string& registry);

  // A number that changes with every content that find() has seen, good or not.
  [[nodiscard]] int generation() const { return generation_; }

 private:
  // Identifies a content of the file without reading it.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_nano = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  void refresh();

  std::filesystem::path path_;
  std::optional<Stamp> stamp_;
  std::optional<Json> content_;   // last good content
  std::optional<Error> problem_;  // problem of the content that stamp_ identifies
  int generation_ = 0;
};

}  // namespace trimtab
