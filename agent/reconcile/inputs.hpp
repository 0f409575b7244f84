// What a release is made from, and whether it still is as it was when a commit was evaluated.
#pragma once

#include <filesystem>
#include <string>

#include "agent/config/settings.hpp"
#include "agent/model/facts.hpp"
#include "agent/model/release.hpp"
#include "agent/reconcile/input_hashes.hpp"
#include "agent/resolve/keys.hpp"
#include "common/result.hpp"

namespace trimtab {

// In Inputs: a file that was asked for and is not there, or must not be read; an image that its
// registry does not have.
inline constexpr const char* absent_input = "absent";
inline constexpr const char* refused_input = "refused";
inline constexpr const char* missing_image = "missing";

// The largest untracked file that is read, in bytes.
inline constexpr std::size_t max_input_size = 1024 * 1024;

// Where an input lies: `path` is relative to `live`, possibly with "..", or absolute. What ".."
// leads to is decided by the words alone, as Compose does it.
std::filesystem::path input_path(const std::filesystem::path& live, const std::string& path);

// An untracked file as it is now.
Result<std::string> read_input(const std::filesystem::path& live, const std::string& path);

// SHA-256 of what was read, refused_input where its path is not to be trusted, else absent_input.
std::string input_hash(const Result<std::string>& read);

// The stack's settings as far as they shape a release.
std::string shaping_settings(const StackSettings& settings);

// The digests that the watched tags of a release were pinned to, by image as written.
std::map<std::string, std::string> watched_digests(const Release& release);

// What `release` was made from, as far as its record says.
Inputs inputs_of(const StackSettings& settings, const Release& release);

// The same inputs as `evaluated`, each as it is now: the settings, the files on the disk and what
// the registries said last. `commit`: the one that is asked for now. `hashes`: kept from call to
// call.
Inputs present_inputs(const StackSettings& settings, const std::string& commit, const Facts& facts,
                      const Inputs& evaluated, InputHashes& hashes);

// Changes if one of the files is written, replaced, made or removed; reads none of them.
std::string stamp_of_files(const std::filesystem::path& live, const Inputs& inputs);

}  // namespace trimtab
