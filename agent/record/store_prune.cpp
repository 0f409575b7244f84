// Retention: what the record no longer needs.
#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/record/store.hpp"
#include "agent/record/store_files.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

// The hash with which a key of rejected.json begins: that of a content, or of inputs.
std::string hash_in(const std::string& key) {
  constexpr std::size_t sha256_digits = 64;
  return key.substr(0, sha256_digits);
}

}  // namespace

std::vector<int> Store::superfluous_releases(int keep) const {
  std::set<int> kept{current_};
  if (in_flight_) kept.insert({in_flight_->release, in_flight_->fallback, in_flight_->checkout});
  for (const RunningSet* running : {&running_, in_flight_ ? &in_flight_->from : &running_}) {
    kept.insert(running->release);
    for (const auto& [name, service] : running->services) kept.insert(service.release);
  }
  if (const ReleaseRecord* now = current()) {
    if (const ReleaseRecord* good = last_good_before(*now)) kept.insert(good->number);
  }
  std::set<std::string> contents;
  int distinct = 0;
  int repeated = 0;
  std::vector<int> superfluous;
  for (auto entry = releases_.rbegin(); entry != releases_.rend(); ++entry) {
    const ReleaseRecord& release = entry->second;
    const std::string& content =
        release.content_key.empty() ? release.inputs_key : release.content_key;
    if (!kept.contains(release.number)) {
      // A release that only moved the checkout must not push out one that can be gone back to.
      int& count = contents.contains(content) ? repeated : distinct;
      if (count >= keep) {
        superfluous.push_back(release.number);
        continue;
      }
      ++count;
    }
    contents.insert(content);
  }
  return superfluous;
}

Task<Pruned> Store::prune(int keep) {
  const AsyncMutex::Guard writing = co_await writer_lock_.lock();
  Pruned pruned;
  pruned.result = co_await prune_all(keep, &pruned.gone);
  co_return pruned;
}

Task<Result<void>> Store::prune_all(int keep, std::vector<int>* gone) {
  const std::vector<int> superfluous = superfluous_releases(keep);
  for (const int number : superfluous) {
    const fs::path directory = release_directory(number);
    // Whatever else is removed with it must not be missed if a power cut brings it back.
    const auto remove = [&directory] {
      const Result<void> done = remove_tree(directory);
      return done ? sync_directory(directory.parent_path()) : done;
    };
    const Result<void> removed = co_await on_disk_thread(remove);
    if (!removed) co_return removed;
    releases_.erase(number);
    gone->push_back(number);
  }
  const Result<void> pruned = co_await prune_deployments();
  if (!pruned) co_return pruned;
  const Result<void> tidied = co_await remove_unfinished(gone);
  if (!tidied) co_return tidied;
  co_return co_await forget_old_rejections();
}

Task<Result<void>> Store::prune_deployments() {
  const std::vector<int> outlived = outlived_deployments(deployments_, releases_);
  for (const int id : outlived) {
    // Of a release whose record cannot be read, it is for people or for a newer version.
    const int release = deployments_.at(id).release;
    std::error_code ec;
    if (!releases_.contains(release) && fs::exists(release_directory(release), ec)) continue;
    const fs::path file = deployment_file(id);
    const auto remove = [&file] { return remove_tree(file); };
    const Result<void> removed = co_await on_disk_thread(remove);
    if (!removed) co_return removed;
    deployments_.erase(id);
  }
  co_return Result<void>();
}

// What a kill has left of releases that were being written, or removed. Not of one that `current`
// names: that has lost its record, and the stack's unit may boot from the rest.
Task<Result<void>> Store::remove_unfinished(std::vector<int>* gone) {
  if (unfinished_.empty()) co_return Result<void>();
  std::error_code ec;
  const fs::path target = fs::read_symlink(directory_ / "current", ec);
  unfinished_.erase(number_of(target.filename().string()));
  const std::set<int> unfinished = std::exchange(unfinished_, {});
  for (const int number : unfinished) {
    const fs::path directory = release_directory(number);
    if (releases_.contains(number) || fs::exists(directory / quarantined_record, ec)) continue;
    const auto remove = [&directory] { return remove_tree(directory); };
    const Result<void> removed = co_await on_disk_thread(remove);
    if (!removed) co_return removed;
    gone->push_back(number);
  }
  co_return Result<void>();
}

// Keys live as long as a release that they came from, or the file would grow indefinitely.
Task<Result<void>> Store::forget_old_rejections() {
  // The release of a key may be one that could not be read.
  if (!problems_.empty() || rejected_file_.is_doubtful()) co_return Result<void>();
  std::set<std::string> known;
  for (const auto& [number, release] : releases_) {
    known.insert({hash_in(release.content_key), hash_in(release.inputs_key)});
  }
  std::set<std::string> kept;
  std::copy_if(rejected_.begin(), rejected_.end(), std::inserter(kept, kept.end()),
               [&](const std::string& key) { return known.contains(hash_in(key)); });
  if (kept.size() == rejected_.size()) co_return Result<void>();
  co_return co_await write_rejected(std::move(kept));
}

}  // namespace trimtab
