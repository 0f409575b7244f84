// Keys for comparing releases: one of everything that goes into a release, one of what runs.
#pragma once

#include <map>
#include <string>

#include "agent/model/release.hpp"

namespace trimtab {

// Everything that a release is built from. If its key is unchanged, nothing has to be evaluated
// again.
struct Inputs {
  std::string commit;
  std::string settings;                        // the stack's settings that affect the release
  std::map<std::string, std::string> files;    // untracked files that were read → SHA-256
  std::map<std::string, std::string> digests;  // image reference as written → digest, or "missing"

  friend bool operator==(const Inputs&, const Inputs&) = default;
};
std::string inputs_key(const Inputs& inputs);

// The same, but computed only if they differ from those before.
class InputsKey {
 public:
  const std::string& of(Inputs inputs);

 private:
  Inputs last_;
  std::string key_;
};

// Returns the key of what runs: the pinned model and the tracked files mounted from it. Independent
// of the order of keys in the model.
std::string content_key(const Json& model,
                        const std::map<std::string, std::map<std::string, std::string>>& mounted);

}  // namespace trimtab
