// Which files a compose file reads besides itself, before Compose is asked. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/json.hpp"

namespace trimtab {

// A compose file that another one names by `include:` or `extends:`.
struct FurtherFile {
  std::string path;                    // below the checkout
  std::string base;                    // the folder that the paths in it are relative to
  std::vector<std::string> env_files;  // below the checkout, that fill in its variables

  friend bool operator==(const FurtherFile&, const FurtherFile&) = default;
};

// `path` as seen from the checkout, if it lies below it and holds no variable. `base`: a folder
// below the checkout, "" for itself.
std::optional<std::string> path_below(const std::string& base, const std::string& path);

// The files that `env_file:` of the services names, as it writes them.
std::vector<std::string> env_files_of(const Json& raw);

// Source: https://docs.docker.com/reference/compose-file/include/ and …/services/#extends
std::vector<FurtherFile> further_files(const Json& raw, const std::string& base);

}  // namespace trimtab
