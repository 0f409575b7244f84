// The inputs of a release, and whether they have changed since a commit was evaluated.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/config/settings.hpp"
#include "agent/model/facts.hpp"
#include "agent/model/reference.hpp"
#include "agent/model/release.hpp"
#include "agent/reconcile/input_hashes.hpp"
#include "agent/resolve/keys.hpp"
#include "common/result.hpp"

namespace trimtab {

// In Inputs: a wanted file that does not exist, or must not be read; an image that its registry
// does not have.
inline constexpr const char* absent_input = "absent";
inline constexpr const char* refused_input = "refused";
inline constexpr const char* missing_image = "missing";

// The largest untracked file that is read, in bytes.
inline constexpr std::size_t max_input_size = 1024 * 1024;

// Returns where an input is: `path` is relative to `live`, possibly with "..", or absolute. ".." is
// resolved lexically, as by Compose.
std::filesystem::path input_path(const std::filesystem::path& live, const std::string& path);

// An untracked file as it is now.
Result<std::string> read_input(const std::filesystem::path& live, const std::string& path);

// Returns the SHA-256 of what was read, refused_input if its path cannot be trusted, else
// absent_input.
std::string input_hash(const Result<std::string>& read);

// The stack's settings that affect a release.
std::string shaping_settings(const StackSettings& settings);

// The digests that the watched tags of a release were pinned to, by image as written.
std::map<std::string, std::string> watched_digests(const Release& release);

// The tags that are watched for a release, by image as written.
std::map<std::string, ImageReference> watched_references(const Release& release);

// Returns the inputs of `release`, as far as they are recorded.
Inputs inputs_of(const StackSettings& settings, const Release& release);

// Returns the same inputs as `evaluated`, each as it is now: the settings, the files on the disk
// and the last answers of the registries. `commit`: the wanted one. `hashes`: kept from call to
// call.
Inputs present_inputs(const StackSettings& settings, const std::string& commit, const Facts& facts,
                      const Inputs& evaluated, InputHashes& hashes);

// Returns the paths of the files that were read; relative ones are below the live directory `live`.
std::vector<std::filesystem::path> input_paths(const std::filesystem::path& live,
                                               const Inputs& inputs);

// Changes if one of the files is written, replaced, created or removed. Reads none of them.
std::string stamp_of_files(const std::vector<std::filesystem::path>& paths);

}  // namespace trimtab
