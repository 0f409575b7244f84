// Keys by which two releases are the same: of all that goes into one, and of what runs.
#pragma once

#include <map>
#include <string>

#include "agent/model/release.hpp"

namespace trimtab {

// All that a release is made from. Where the key of these is as before, nothing needs to be looked
// at.
struct Inputs {
  std::string commit;
  std::string settings;                        // of the stack, as far as they shape the release
  std::map<std::string, std::string> files;    // untracked files that were read → SHA-256
  std::map<std::string, std::string> digests;  // image as written → digest, or "missing"
};
std::string inputs_key(const Inputs& inputs);

// Of what runs: the pinned model and the tracked files that it mounts. The order of keys in the
// model does not count.
std::string content_key(const Json& model,
                        const std::map<std::string, std::map<std::string, std::string>>& mounted);

}  // namespace trimtab
