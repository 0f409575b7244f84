#include "tests/simulation/sources.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "common/fd_io.hpp"
#include "common/files.hpp"
#include "common/hash.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

Error no_commit(const std::string& id) {
  return Error{Errc::not_found, "no commit " + id, {}};
}

Result<void> write_files(const WorldCommit& commit, const fs::path& directory) {
  for (const auto& [path, text] : commit.files) {
    Result<void> written = make_private_directory((directory / path).parent_path());
    if (written) written = write_file_durably(directory / path, text);
    if (!written) return written;
  }
  return {};
}

// As Git does it, which syncs nothing.
Result<void> stage_file(const fs::path& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const int failure = fd.valid() ? write_all(fd.get(), text) : errno;
  return failure == 0 ? Result<void>() : os_error("write", path, failure);
}

std::map<std::string, std::string> files_of(const World& world, const std::string& commit) {
  const WorldCommit* const found = world.find_commit(commit);
  return found == nullptr ? std::map<std::string, std::string>() : found->files;
}

}  // namespace

// ---- Git

Task<Result<void>> SimulatedGit::work() {
  co_return co_await sleep_for(world_.between(1ms, 50ms));
}

Task<Result<void>> SimulatedGit::ask_remote() {
  const Result<void> waited = co_await sleep_for(world_.between(20ms, 500ms));
  if (!waited) co_return waited;
  if (world_.faults.remote_away) {
    co_return Error{Errc::unavailable, "the remote cannot be reached", {}};
  }
  co_return Result<void>();
}

Task<Result<RefTip>> SimulatedGit::resolve_ref() {
  const Result<void> asked = co_await ask_remote();
  if (!asked) co_return asked.error();
  co_return RefTip{"refs/heads/production", world_.tip};
}

Task<Result<std::string>> SimulatedGit::fetch(RefTip) {
  const Result<void> asked = co_await ask_remote();
  if (!asked) co_return asked.error();
  co_return world_.tip;
}

Task<Result<std::string>> SimulatedGit::find_commit(std::string text) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked.error();
  for (const WorldCommit& commit : world_.commits) {
    if (commit.id.starts_with(text)) co_return commit.id;
  }
  co_return no_commit(text);
}

Task<Result<CommitInfo>> SimulatedGit::describe(std::string commit) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked.error();
  const WorldCommit* const found = world_.find_commit(commit);
  if (found == nullptr) co_return no_commit(commit);
  co_return CommitInfo{commit, found->subject, "Ada", wall_now()};
}

Task<Result<bool>> SimulatedGit::is_ancestor(std::string older, std::string newer) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked.error();
  for (const WorldCommit& commit : world_.commits) {
    if (commit.id == older) co_return true;
    if (commit.id == newer) co_return false;
  }
  co_return false;
}

Task<Result<std::vector<TreeEntry>>> SimulatedGit::tree(std::string commit) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked.error();
  const WorldCommit* const found = world_.find_commit(commit);
  if (found == nullptr) co_return no_commit(commit);
  std::vector<TreeEntry> entries;
  for (const auto& [path, text] : found->files) {
    entries.push_back({"100644", sha256_hex(text).substr(0, 40), path});
  }
  co_return entries;
}

Task<Result<void>> SimulatedGit::keep(std::string commit, int release) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked;
  if (world_.find_commit(commit) == nullptr) co_return no_commit(commit);
  world_.kept_commits[release] = commit;
  co_return Result<void>();
}

Task<Result<void>> SimulatedGit::keep_only(std::set<int> releases) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked;
  std::erase_if(world_.kept_commits,
                [&](const auto& kept) { return !releases.contains(kept.first); });
  co_return Result<void>();
}

Task<Result<void>> SimulatedGit::stage(std::string commit, fs::path directory) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked;
  const WorldCommit* const found = world_.find_commit(commit);
  if (found == nullptr) co_return no_commit(commit);
  const Result<void> made = make_scratch_directory(directory);
  if (!made) co_return made;
  for (const auto& [path, text] : found->files) {
    Result<void> staged = make_private_directory((directory / path).parent_path());
    if (staged) staged = stage_file(directory / path, text);
    if (!staged) co_return staged;
  }
  co_return Result<void>();
}

Task<Result<SwitchReport>> SimulatedGit::checkout_live(fs::path directory, std::string from,
                                                       std::string to, std::vector<std::string>,
                                                       fs::path) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked.error();
  const WorldCommit* const deploy_target = world_.find_commit(to);
  if (deploy_target == nullptr) co_return no_commit(to);
  SwitchReport report;
  for (const auto& [path, text] : files_of(world_, from)) {
    if (deploy_target->files.contains(path)) continue;
    const Result<void> removed = remove_tree(directory / path);
    if (!removed) co_return removed.error();
  }
  const Result<void> written = write_files(*deploy_target, directory);
  if (!written) co_return written.error();
  co_return report;
}

Task<Result<std::vector<std::string>>> SimulatedGit::collisions(fs::path directory,
                                                                std::string from,
                                                                std::string commit) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked.error();
  const auto tracked = files_of(world_, from);
  std::vector<std::string> paths;
  for (const auto& [path, text] : files_of(world_, commit)) {
    const auto here = read_file(directory / path, max_bytes);
    if (here && *here != text && !tracked.contains(path)) paths.push_back(path);
  }
  co_return paths;
}

Task<Result<std::vector<std::string>>> SimulatedGit::edits(fs::path directory, std::string from,
                                                           std::string commit) {
  const Result<void> worked = co_await work();
  if (!worked) co_return worked.error();
  const auto next = files_of(world_, commit);
  std::vector<std::string> paths;
  for (const auto& [path, text] : files_of(world_, from)) {
    const auto here = read_file(directory / path, max_bytes);
    const auto there = next.find(path);
    const bool is_edited = here && *here != text;
    if (is_edited && (there == next.end() || there->second != *here)) paths.push_back(path);
  }
  co_return paths;
}

// ---- The registry

Task<Result<void>> SimulatedRegistry::answer() {
  const Result<void> waited = co_await sleep_for(world_.between(20ms, 500ms));
  if (!waited) co_return waited;
  if (world_.faults.registry_away) {
    co_return Error{Errc::unavailable, "the registry cannot be reached", {}};
  }
  co_return Result<void>();
}

Task<Result<std::string>> SimulatedRegistry::digest_of(ImageReference reference) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  const auto found = world_.tags.find(reference.tagged());
  if (found == world_.tags.end()) {
    co_return Error{Errc::not_found, "there is no " + reference.tagged(), {}};
  }
  co_return found->second;
}

// No image here is for several platforms.
Task<Result<std::string>> SimulatedRegistry::image_digest(ImageReference reference, Platform) {
  co_return reference.digest;
}

Task<Result<ImageManifest>> SimulatedRegistry::manifest_of(ImageReference reference, Platform) {
  const Result<void> answered = co_await answer();
  if (!answered) co_return answered.error();
  if (!world_.registry.contains(reference.digest)) {
    co_return Error{Errc::not_found, "there is no " + reference.digest, {}};
  }
  ImageManifest manifest;
  manifest.platform = {"linux", "amd64"};
  manifest.layers = {{reference.digest, 1'000'000}};
  co_return manifest;
}

Task<Result<std::optional<RegistryLogin>>> SimulatedRegistry::login_for(std::string) {
  co_return std::optional<RegistryLogin>();
}

}  // namespace trimtab::simulation
