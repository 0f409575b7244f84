// Which files a compose file reads besides itself, before Compose is asked. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/json.hpp"

namespace trimtab {

// A compose file that another one names by `include:` or `extends:`.
struct FurtherFile {
  std::string path;                    // as path_from gives it
  std::string base;                    // the directory that the paths in it are relative to
  std::vector<std::string> env_files;  // that fill in its variables

  friend bool operator==(const FurtherFile&, const FurtherFile&) = default;
};

using Variables = std::map<std::string, std::string>;

// `path` as seen from the checkout: relative to it, with ".." in front where it lies outside, or
// absolute; "" is the checkout itself. Nothing if its variables cannot be filled in. `base`: the
// directory that it is relative to, "" for the checkout.
std::optional<std::string> path_from(const std::string& base, const std::string& path,
                                     const Variables& variables);

// The directory of the first of a stack's compose files, which all their paths are relative to.
std::string project_directory(const std::vector<std::string>& files);

// The env files that may fill in their variables, the one that counts first: what is named, else
// the default one of their directory or of the checkout.
std::vector<std::string> possible_env_files(const std::optional<std::string>& named,
                                            const std::vector<std::string>& files);

// Whether Compose would fetch it from elsewhere.
bool is_remote(const std::string& path);

// The files that `env_file:` and `label_file:` of the services name, as they write them.
std::vector<std::string> env_files_of(const Json& raw);

// The directories that images are built from, likewise: docker-compose 1 asks that they are there.
std::vector<std::string> build_contexts_of(const Json& raw);

// Source: https://docs.docker.com/reference/compose-file/include/ and …/services/#extends
std::vector<FurtherFile> further_files(const Json& raw, const std::string& base,
                                       const Variables& variables);

}  // namespace trimtab
