// Nothing of trimtab's own state may be mounted or read by a stack: it holds the secrets of all.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "common/json.hpp"

namespace trimtab {

// Where `source` leads once the commit in `checkout` is live: links on the way are followed, those
// of the commit as well as those of the host. `live`: the directory that the commit goes to.
std::filesystem::path real_source(const std::filesystem::path& source,
                                  const std::filesystem::path& live,
                                  const std::filesystem::path& checkout);

// Whether `path` is the state directory, lies in it, or is a directory other than "/" that it lies
// in. Both are real paths.
bool shows_state(const std::filesystem::path& path, const std::filesystem::path& state);

// The paths of the host that the model's containers get to see, each with who names it: sources of
// mounts, files of secrets and configs, devices of volumes.
std::map<std::string, std::string> host_paths(const Json& model);

}  // namespace trimtab
