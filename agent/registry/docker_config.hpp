// Docker's config.json: the logins that `docker login` has stored.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "agent/model/login.hpp"
#include "common/json.hpp"

namespace trimtab {

// The login that a parsed config.json has for a registry ("docker.io", "ghcr.io",
// "127.0.0.1:5000"); none where it knows nothing of it. Errc::invalid where the registry's entry is
// malformed, or asks for a credential helper or an identity token, which trimtab does not support.
Result<std::optional<RegistryLogin>> find_login(const Json& config, const std::string& registry);

// The file, read anew when it was replaced or edited.
class DockerConfigFile {
 public:
  explicit DockerConfigFile(std::filesystem::path path);

  // As find_login. No file: no logins. While the file cannot be read or is no JSON (somebody is
  // writing it), its last good content counts and one warning is logged; Errc::invalid where there
  // never was any.
  Result<std::optional<RegistryLogin>> login_for(const std::string& registry);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

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
};

}  // namespace trimtab
