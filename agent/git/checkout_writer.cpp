#include "agent/git/checkout_writer.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

Result<void> write_entry(const ConfinedDirectory& source, const fs::path& source_path,
                         const ConfinedDirectory& directory, const std::string& path,
                         bool in_place) {
  const auto info = source.status(path);
  if (!info) return info.error();
  if (S_ISLNK(info->st_mode)) {
    std::error_code ec;
    const fs::path target = fs::read_symlink(source_path / path, ec);
    if (ec) return os_error("read", source_path / path, ec.value());
    return directory.put_link(path, target.string());
  }
  // Git creates an empty directory where the commit has a submodule.
  if (S_ISDIR(info->st_mode)) return directory.make_directories(path);
  const auto from = source.read(path);
  if (!from) return from.error();
  if (!in_place) {
    // A path that is new need not be synced before its rename: if a power cut tears it, the
    // unfinished switch shows that the file is trimtab's, since nothing stood there before.
    const SyncBytes sync = directory.status(path) ? SyncBytes::first : SyncBytes::later;
    return directory.put_file(path, from->get(), info->st_mode & 0777U, sync);
  }
  if (auto rewritten = directory.rewrite_in_place(path, from->get()); !rewritten) return rewritten;
  return directory.set_executable(path, (info->st_mode & 0111U) != 0);
}

}  // namespace

Result<void> write_checkout(const fs::path& source, const ConfinedDirectory& directory,
                            const CheckoutChanges& changes) {
  const auto files = ConfinedDirectory::open(source);
  if (!files) return files.error();
  for (const std::string& path : changes.removed) {
    if (auto removed = directory.remove(path); !removed) return removed;
    directory.remove_empty_directories(fs::path(path).parent_path());
  }
  for (const TreeEntry& entry : changes.written) {
    const bool in_place = changes.in_place.contains(entry.path);
    auto written = write_entry(*files, source, directory, entry.path, in_place);
    if (!written) return written;
  }
  return {};
}

}  // namespace trimtab
