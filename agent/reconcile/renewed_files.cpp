#include "agent/reconcile/renewed_files.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "agent/model/reload.hpp"
#include "agent/model/service.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

// Bounded because a mounted directory may contain uploads.
constexpr int max_entries = 2000;

bool is_certificate(const fs::path& path) {
  constexpr std::array<std::string_view, 4> endings{".pem", ".crt", ".cer", ".key"};
  return std::find(endings.begin(), endings.end(), path.extension().string()) != endings.end();
}

// Follows links, because a renewed certificate is often another file behind the same link.
std::optional<std::string> mark_of(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return fmt::format("{} {} {}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

}  // namespace

std::set<std::string> RenewedFiles::find_renewed(const Release& release, const Rendering& rendering,
                                                 const fs::path& live) {
  std::set<std::string> renewed = std::exchange(due_, {});
  std::map<std::string, Marks> found;
  for (const std::string& name : rendering.service_names()) {
    const Json& service = rendering.service(name);
    const auto reload = reload_of(service);
    if (!reload || !reload->files) continue;
    Marks& marks = found[name];
    const auto tracked = release.mounted_files.find(name);
    const auto note = [&](const fs::path& path) {
      const bool is_tracked = tracked != release.mounted_files.end() &&
                              tracked->second.contains(path.lexically_relative(live).string());
      const auto mark = is_tracked ? std::nullopt : mark_of(path);
      if (mark) marks[path.string()] = *mark;
    };
    for (const Mount& mount : mounts_of(service)) {
      if (mount.type != "bind") continue;
      std::error_code ec;
      if (!fs::is_directory(mount.source, ec)) {
        if (mount.read_only || is_certificate(mount.source)) note(mount.source);
        continue;
      }
      int entries = 0;
      fs::recursive_directory_iterator entry(mount.source,
                                             fs::directory_options::skip_permission_denied, ec);
      for (; !ec && entry != fs::recursive_directory_iterator() && entries < max_entries;
           entry.increment(ec), ++entries) {
        if (is_certificate(entry->path())) note(entry->path());
      }
    }
    const auto before = known_.find(name);
    if (before != known_.end() && before->second != marks) renewed.insert(name);
  }
  known_ = std::move(found);
  return renewed;
}

}  // namespace trimtab
