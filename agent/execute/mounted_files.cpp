#include "agent/execute/mounted_files.hpp"

namespace trimtab {

FileBlobs files_of(const Release& release, const std::string& service) {
  const auto found = release.mounted_files.find(service);
  return found == release.mounted_files.end() ? FileBlobs() : found->second;
}

std::set<std::string> with_new_files(const Release& release, const RunningSet& before,
                                     const Releases& releases) {
  std::set<std::string> services;
  for (const auto& [service, known] : before.services) {
    if (known.release == 0) continue;
    const auto ran = releases.find(known.release);
    const FileBlobs old = ran == releases.end() ? FileBlobs() : files_of(ran->second, service);
    if (old != files_of(release, service)) services.insert(service);
  }
  return services;
}

std::map<std::string, std::string> files_to_try(const FileBlobs& before, const FileBlobs& after,
                                                const std::vector<Mount>& mounts,
                                                const std::filesystem::path& live) {
  std::map<std::string, std::string> files;
  for (const auto& [path, blob] : after) {
    const auto old = before.find(path);
    if (old != before.end() && old->second == blob) continue;
    const std::string target = (live / path).string();
    for (const Mount& mount : mounts) {
      if (mount.type != "bind") continue;
      const bool itself = mount.source == target;
      const bool below = target.starts_with(mount.source + "/") && old != before.end();
      if (itself || below) files[mount.target + target.substr(mount.source.size())] = path;
    }
  }
  return files;
}

}  // namespace trimtab
