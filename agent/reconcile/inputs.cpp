#include "agent/reconcile/inputs.hpp"

#include "common/guarded_file.hpp"
#include "common/hash.hpp"

namespace trimtab {

namespace fs = std::filesystem;

fs::path input_path(const fs::path& live, const std::string& path) {
  return (live / path).lexically_normal();
}

Result<std::string> read_input(const fs::path& live, const std::string& path) {
  return read_guarded(input_path(live, path), max_input_size);
}

std::string input_hash(const Result<std::string>& read) {
  if (read) return sha256_hex(*read);
  return read.error().code == Errc::untrusted ? refused_input : absent_input;
}

std::string shaping_settings(const StackSettings& settings) {
  Json json;
  json["compose"] = settings.compose;
  json["profiles"] = settings.profiles;
  json["project"] = settings.project;
  json["env_file"] = settings.env_file.value_or(default_env_file);
  json["directory"] = settings.directory.string();
  if (settings.images.watch) json["watch"] = *settings.images.watch;
  // Another level of a check may change the result.
  for (const auto& [check, level] : settings.checks) json["checks"][check] = level;
  return dump_json(json);
}

std::map<std::string, std::string> watched_digests(const Release& release) {
  std::map<std::string, std::string> digests;
  for (const std::string& service : release.watched) {
    const auto pin = release.images.find(service);
    if (pin == release.images.end() || pin->second.local) continue;
    const std::string digest = pin->second.tag_digest();
    if (!digest.empty()) digests[pin->second.reference] = digest;
  }
  return digests;
}

std::map<std::string, ImageReference> watched_references(const Release& release) {
  std::map<std::string, ImageReference> watched;
  for (const std::string& service : release.watched) {
    const auto pin = release.images.find(service);
    if (pin == release.images.end() || pin->second.local) continue;
    const Result<ImageReference> reference = parse_reference(pin->second.reference);
    if (reference) watched[pin->second.reference] = *reference;
  }
  return watched;
}

Inputs inputs_of(const StackSettings& settings, const Release& release) {
  Inputs inputs;
  inputs.commit = release.commit;
  inputs.settings = shaping_settings(settings);
  inputs.files = release.inputs;
  inputs.digests = watched_digests(release);
  return inputs;
}

Inputs present_inputs(const StackSettings& settings, const std::string& commit, const Facts& facts,
                      const Inputs& evaluated, InputHashes& hashes) {
  Inputs inputs;
  inputs.commit = commit;
  inputs.settings = shaping_settings(settings);
  const auto now = SteadyClock::now();
  for (const auto& [path, hash] : evaluated.files) {
    inputs.files[path] = hashes.hash_of(settings.directory, path, now);
  }
  for (const auto& [image, digest] : evaluated.digests) {
    const auto fact = facts.digests.find(image);
    const bool answered = fact != facts.digests.end() && fact->second.value;
    // Not polled since the daemon's start, or polled without success: assume that it is unchanged.
    inputs.digests[image] = answered ? *fact->second.value : digest;
  }
  return inputs;
}

std::vector<fs::path> input_paths(const fs::path& live, const Inputs& inputs) {
  std::vector<fs::path> paths;
  for (const auto& [path, hash] : inputs.files) paths.push_back(input_path(live, path));
  return paths;
}

std::string stamp_of_files(const std::vector<fs::path>& paths) {
  std::string stamp;
  for (const fs::path& path : paths) {
    stamp += stamp_of_file(path);
    stamp += path.native();
    stamp += '\n';
  }
  return stamp;
}

}  // namespace trimtab
