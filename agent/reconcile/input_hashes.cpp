#include "agent/reconcile/input_hashes.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include "agent/reconcile/inputs.hpp"

namespace trimtab {
namespace {

// A file that is written twice within one step of its file system's clock may have the same stamp
// after both. Steps are up to two seconds long.
constexpr auto clock_step = std::chrono::seconds(2);
constexpr std::size_t max_known = 1000;

}  // namespace

std::string stamp_of_file(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "";
  return fmt::format("{} {} {} {} {} {} {} ", info.st_dev, info.st_ino, info.st_size,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ctim.tv_sec,
                     info.st_ctim.tv_nsec);
}

std::string InputHashes::hash_of(const std::filesystem::path& live, const std::string& path,
                                 SteadyClock::time_point now) {
  const std::string stamp = stamp_of_file(input_path(live, path));
  if (const std::string* const known = find(path, stamp)) return *known;
  const Result<std::string> read = read_input(live, path);
  std::string hash = input_hash(read);
  // Whether a file may be read depends on more than its stamp.
  if (read && !stamp.empty()) note(path, stamp, hash, now);
  return hash;
}

const std::string* InputHashes::find(const std::string& path, const std::string& stamp) const {
  const auto found = known_.find(path);
  const bool is_known =
      found != known_.end() && found->second.stamp == stamp && !found->second.hash.empty();
  return is_known ? &found->second.hash : nullptr;
}

void InputHashes::note(const std::string& path, const std::string& stamp, const std::string& hash,
                       SteadyClock::time_point now) {
  if (known_.size() >= max_known) known_.clear();
  Known& known = known_[path];
  if (known.stamp != stamp) known = {stamp, now, ""};
  if (now - known.seen_since >= clock_step) known.hash = hash;
}

}  // namespace trimtab
