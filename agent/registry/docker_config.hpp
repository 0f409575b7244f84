// Docker's config.json: the logins that `docker login` has stored.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "agent/model/login.hpp"
#include "common/json.hpp"

namespace trimtab {

// Where Docker's config.json has the login for one registry.
struct StoredLogin {
  std::optional<RegistryLogin> login;  // in the file itself
  std::string helper;                  // else the NAME of the docker-credential-NAME that has it
  // The file names this registry; else the helper is the store of all that are not named.
  bool named = false;
};

// How config.json, `docker login` and the Engine call a registry ("docker.io", "ghcr.io",
// "127.0.0.1:5000"): only Docker Hub has another name there.
std::string docker_server(const std::string& registry);

// What a parsed config.json says of a registry; neither login nor helper where it has none for it.
// Errc::invalid where the registry's entry is malformed.
Result<StoredLogin> find_login(const Json& config, const std::string& registry);

// The file, read anew when it was replaced or edited.
class DockerConfigFile {
 public:
  explicit DockerConfigFile(std::filesystem::path path);

  // As find_login. No file: no logins. While the file cannot be read or is no JSON (somebody is
  // writing it), its last good content counts and one warning is logged; Errc::invalid where there
  // never was any.
  Result<StoredLogin> find(const std::string& registry);

  // Another number for each content that find() has seen, good or not.
  [[nodiscard]] int generation() const { return generation_; }

 private:
  // What tells one content of the file from another without reading it.
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
  std::optional<Json> content_;   // the last good one
  std::optional<Error> problem_;  // of the content that stamp_ stands for
  int generation_ = 0;
};

}  // namespace trimtab
