#include "agent/reconcile/staging.hpp"

#include "agent/reconcile/inputs.hpp"
#include "common/confined_directory.hpp"
#include "common/files.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

bool has_tracked_below(const std::set<std::string>& tracked, const std::string& directory) {
  const auto next = tracked.lower_bound(directory + "/");
  return next != tracked.end() && next->rfind(directory + "/", 0) == 0;
}

Result<void> link_directory(const fs::path& live, const fs::path& staged,
                            const std::string& relative, const std::set<std::string>& tracked) {
  std::error_code ec;
  int links = 0;
  fs::directory_iterator entries(live, ec);
  // A live directory that does not exist yet has nothing to link.
  if (ec == std::errc::no_such_file_or_directory) return {};
  for (; !ec && entries != fs::directory_iterator(); entries.increment(ec)) {
    const fs::directory_entry& entry = *entries;
    const std::string name = entry.path().filename().string();
    if (relative.empty() && name == ".git") continue;
    const std::string path = relative.empty() ? name : relative + "/" + name;
    if (tracked.contains(path)) continue;
    std::error_code unknown;
    const bool is_directory_entry = entry.is_directory(unknown) && !entry.is_symlink(unknown);
    const fs::file_status there = fs::symlink_status(staged / name, unknown);
    // Never through a link in the commit, which may point anywhere.
    if (fs::exists(there) && !fs::is_directory(there)) continue;
    const bool mixed =
        is_directory_entry && (fs::exists(there) || has_tracked_below(tracked, path));
    if (mixed) {
      const bool made = fs::create_directory(staged / name, ec);
      if (ec) return os_error("make", staged / name, ec.value());
      const Result<void> linked = link_directory(entry.path(), staged / name, path, tracked);
      if (!linked) return linked;
      // Removes a directory of which all files would be removed by the commit.
      if (made && fs::is_empty(staged / name, unknown)) fs::remove(staged / name, unknown);
    } else if (!fs::exists(there) && ++links <= max_links_of_directory) {
      fs::create_symlink(entry.path(), staged / name, ec);
      if (ec) return os_error("link", staged / name, ec.value());
    }
  }
  if (ec) return os_error("read", live, ec.value());
  return {};
}

// Writes neither outside of the directory, nor through a link or over a file of the commit.
Result<void> put(const fs::path& staging, const fs::path& path, const auto& make) {
  const fs::path inside = path.lexically_relative(staging);
  if (inside.empty() || *inside.begin() == ".." || inside == ".") return {};
  const Result<ConfinedDirectory> top = ConfinedDirectory::open(staging);
  if (!top) return top.error();
  if (top->status(inside)) return {};
  const Result<void> made = make(*top, inside);
  if (!made && made.error().code == Errc::conflict) return {};
  return made;
}

}  // namespace

bool is_untracked(const std::set<std::string>& tracked, const std::string& path) {
  return !tracked.contains(path) && !has_tracked_below(tracked, path);
}

Result<void> put_file(const fs::path& staging, const fs::path& path, std::string_view content) {
  return put(staging, path, [&](const ConfinedDirectory& top, const fs::path& inside) {
    return top.put_file(inside, content, 0600, SyncBytes::later);
  });
}

Result<void> put_directory(const fs::path& staging, const fs::path& path) {
  return put(staging, path, [](const ConfinedDirectory& top, const fs::path& inside) {
    return top.make_directories(inside);
  });
}

Result<void> put_build_contexts(const WorkspaceLock& workspace, const Json& raw,
                                const std::string& base, const Variables& variables) {
  std::error_code ec;
  for (const std::string& context : build_contexts_of(raw)) {
    const auto path = path_from(base, context, variables);
    if (!path || path->empty() || !fs::is_directory(input_path(workspace.live(), *path), ec))
      continue;
    const auto put = put_directory(workspace.staging(), input_path(workspace.checkout(), *path));
    if (!put) return put;
  }
  return {};
}

Result<void> take_file(const fs::path& staging, const fs::path& path) {
  const fs::path inside = path.lexically_relative(staging);
  if (inside.empty() || *inside.begin() == "..") return {};
  const Result<ConfinedDirectory> top = ConfinedDirectory::open(staging);
  return top ? top->remove(inside) : top.error();
}

Result<void> link_untracked(const fs::path& live, const fs::path& staged,
                            const std::set<std::string>& tracked) {
  return link_directory(live, staged, "", tracked);
}

}  // namespace trimtab
