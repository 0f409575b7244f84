#include "common/confined_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <memory>

#include "common/fd_io.hpp"
#include "common/path_walk.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

constexpr mode_t directory_mode = 0755;
constexpr mode_t file_mode = 0644;
constexpr int max_depth = 100;
// Where a file is written before it is renamed into place. Always the same name, so that the next
// file replaces what a crash has left.
constexpr const char* temporary = ".trimtab.tmp";

UniqueFd open_at(int parent, const char* name, int flags, mode_t mode = 0) {
  return UniqueFd(::openat(parent, name, flags | O_CLOEXEC | O_NOFOLLOW, mode));
}

UniqueFd open_directory_at(int parent, const char* name) {
  return open_at(parent, name, O_PATH | O_DIRECTORY);
}

// The error for a component that could not be opened below `parent`.
Error failure_at(int parent, const char* name, std::string_view what, const fs::path& path,
                 int error_number) {
  struct stat info {};
  const bool is_link = (error_number == ELOOP || error_number == ENOTDIR) &&
                       ::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISLNK(info.st_mode);
  if (!is_link) return os_error(what, path, error_number);
  return Error{Errc::conflict,
               fmt::format("cannot {} {}: {} is a symbolic link, which is not followed", what,
                           path.string(), name),
               "replace it by its target"};
}

Error not_a_regular_file(std::string_view what, const fs::path& path) {
  return Error{Errc::conflict,
               fmt::format("cannot {} {}: it is not a regular file", what, path.string()),
               {}};
}

// Lists the directory without "." and "..".
std::vector<std::string> names_in(int directory) {
  std::vector<std::string> names;
  UniqueFd own = open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(own.valid() ? ::fdopendir(own.get()) : nullptr,
                                                    &::closedir);
  if (!entries) return names;
  static_cast<void>(own.release());
  while (const dirent* const entry = ::readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

// Removes a directory tree that consists only of directories.
void remove_hollow_directory(int parent, const char* name, int depth = 0) {
  if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || depth == max_depth) return;
  const UniqueFd directory = open_directory_at(parent, name);
  if (!directory.valid()) return;
  for (const std::string& below : names_in(directory.get())) {
    remove_hollow_directory(directory.get(), below.c_str(), depth + 1);
  }
  ::unlinkat(parent, name, AT_REMOVEDIR);
}

bool is_plain(const fs::path& relative) {
  if (relative.is_absolute()) return false;
  for (const fs::path& part : relative) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

// Returns 0 or errno.
int replace(int from_parent, const char* from, int to_parent, const char* to) {
  if (::renameat(from_parent, from, to_parent, to) == 0) return 0;
  if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST) return errno;
  remove_hollow_directory(to_parent, to);
  return ::renameat(from_parent, from, to_parent, to) == 0 ? 0 : errno;
}

// Whether a link may be followed: one of another user could lead root where that user could not go.
bool is_trusted(const struct stat& link) {
  return link.st_uid == 0 || link.st_uid == ::geteuid();
}

Result<UniqueFd> open_top(const fs::path& path, bool make_missing) {
  const char* const what = make_missing ? "create the directory" : "open the directory";
  if (!path.is_absolute()) {
    return Error{Errc::invalid, path.string() + " is not an absolute path", {}};
  }
  UniqueFd at(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto parts = components(path);
  int links = 0;
  while (!parts.empty()) {
    const std::string part = parts.front();
    parts.pop_front();
    UniqueFd next = open_at(at.get(), part.c_str(), O_PATH);
    if (!next.valid() && errno == ENOENT && make_missing) {
      if (::mkdirat(at.get(), part.c_str(), directory_mode) != 0 && errno != EEXIST) {
        return os_error(what, path, errno);
      }
      next = open_at(at.get(), part.c_str(), O_PATH);
    }
    struct stat info {};
    if (!next.valid() || ::fstat(next.get(), &info) != 0) return os_error(what, path, errno);
    if (!S_ISLNK(info.st_mode)) {
      at = std::move(next);
      continue;
    }
    std::array<char, 4096> target{};
    const ssize_t length = ::readlinkat(next.get(), "", target.data(), target.size());
    if (length < 0) return os_error(what, path, errno);
    if (!is_trusted(info) || ++links > max_links) {
      return Error{Errc::conflict,
                   fmt::format("{}{} {}: {} is a symbolic link of user {}, which is not followed",
                               "cannot ", what, path.string(), part, info.st_uid),
                   "use the directory that it points to"};
    }
    const fs::path leads_to(std::string(target.data(), static_cast<std::size_t>(length)));
    if (leads_to.is_absolute()) at = UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto more = components(leads_to);
    parts.insert(parts.begin(), more.begin(), more.end());
  }
  // Reopens the directory that was checked, not whatever has its name now.
  UniqueFd top = open_at(at.get(), ".", O_RDONLY | O_DIRECTORY);
  if (!top.valid()) return os_error(what, path, errno);
  return top;
}

}  // namespace

ConfinedDirectory::ConfinedDirectory(UniqueFd top, fs::path path, const struct stat& owner)
    : top_(std::move(top)),
      path_(std::move(path)),
      owner_(owner.st_uid),
      group_(owner.st_gid),
      owned_by_another_(owner.st_uid != ::geteuid()) {}

Result<ConfinedDirectory> ConfinedDirectory::open(const fs::path& path) {
  auto top = open_top(path, false);
  if (!top) return top.error();
  struct stat owner {};
  if (::fstat(top->get(), &owner) != 0) return os_error("open the directory", path, errno);
  return ConfinedDirectory(std::move(*top), path, owner);
}

Result<ConfinedDirectory> ConfinedDirectory::make(const fs::path& path) {
  if (auto top = open_top(path, true); !top) return top.error();
  return open(path);
}

void ConfinedDirectory::give(int fd) const {
  // Best effort: a file that remains root's can still be read by everyone who could read it before.
  if (owned_by_another_) static_cast<void>(!::fchownat(fd, "", owner_, group_, AT_EMPTY_PATH));
}

Result<UniqueFd> ConfinedDirectory::directory(const fs::path& relative, bool make_missing) const {
  const char* const what = make_missing ? "create the directory" : "open the directory";
  if (!relative.empty() && !is_plain(relative)) {
    return Error{
        Errc::invalid, fmt::format("{} leads out of {}", relative.string(), path_.string()), {}};
  }
  UniqueFd at = open_directory_at(top_.get(), ".");
  if (!at.valid()) return os_error(what, path_, errno);
  fs::path seen = path_;
  for (const fs::path& part : relative) {
    seen /= part;
    UniqueFd next = open_directory_at(at.get(), part.c_str());
    if (!next.valid() && errno == ENOENT && make_missing) {
      const bool made = ::mkdirat(at.get(), part.c_str(), directory_mode) == 0;
      if (!made && errno != EEXIST) return os_error(what, seen, errno);
      next = open_directory_at(at.get(), part.c_str());
      struct stat info {};
      // The name may refer to another directory by now; but giving away an empty one of root's does
      // no harm.
      if (made && next.valid() && ::fstat(next.get(), &info) == 0 && info.st_uid == ::geteuid() &&
          names_in(next.get()).empty()) {
        give(next.get());
      }
    }
    if (!next.valid()) return failure_at(at.get(), part.c_str(), what, seen, errno);
    at = std::move(next);
  }
  return at;
}

Result<UniqueFd> ConfinedDirectory::open_file(const fs::path& relative, int flags) const {
  const char* const what = (flags & O_ACCMODE) == O_RDONLY ? "read" : "write";
  auto parent = directory(relative.parent_path(), false);
  if (!parent) return parent.error();
  const fs::path name = relative.filename();
  // O_NONBLOCK, because opening a pipe in the file's place would block.
  UniqueFd file = open_at(parent->get(), name.c_str(), flags | O_NONBLOCK);
  if (!file.valid()) {
    return failure_at(parent->get(), name.c_str(), what, path_ / relative, errno);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return os_error(what, path_ / relative, errno);
  if (!S_ISREG(info.st_mode)) return not_a_regular_file(what, path_ / relative);
  // Another hard link may be in a directory where the owner of this one could not write.
  if ((flags & O_ACCMODE) != O_RDONLY && info.st_nlink > 1) {
    return Error{
        Errc::conflict,
        fmt::format("cannot write {}: it has several hard links", (path_ / relative).string()),
        "replace it by a copy of itself: cp FILE NEW && mv NEW FILE"};
  }
  return file;
}

Result<struct stat> ConfinedDirectory::status(const fs::path& relative) const {
  auto parent = directory(relative.parent_path(), false);
  if (!parent) return parent.error();
  struct stat info {};
  if (::fstatat(parent->get(), relative.filename().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return os_error("read", path_ / relative, errno);
  }
  return info;
}

Result<UniqueFd> ConfinedDirectory::read(const fs::path& relative) const {
  return open_file(relative, O_RDONLY);
}

Result<void> ConfinedDirectory::make_directories(const fs::path& relative) const {
  if (auto made = directory(relative, true); !made) return made.error();
  return {};
}

Result<void> ConfinedDirectory::put_file(const fs::path& relative, int from, mode_t mode,
                                         SyncBytes sync) const {
  auto parent = directory(relative.parent_path(), true);
  if (!parent) return parent.error();
  ::unlinkat(parent->get(), temporary, 0);
  const UniqueFd file = open_at(parent->get(), temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file.valid()) return os_error("write", path_ / relative, errno);
  int failure = copy_bytes(from, file.get());
  if (failure == 0 && ::fchmod(file.get(), mode) != 0) failure = errno;
  if (failure == 0 && sync == SyncBytes::first && ::fsync(file.get()) != 0) failure = errno;
  if (failure == 0) {
    give(file.get());
    failure = replace(parent->get(), temporary, parent->get(), relative.filename().c_str());
  }
  if (failure == 0) return {};
  ::unlinkat(parent->get(), temporary, 0);
  return os_error("write", path_ / relative, failure);
}

Result<void> ConfinedDirectory::put_file(const fs::path& relative, std::string_view content,
                                         mode_t mode, SyncBytes sync) const {
  const UniqueFd bytes = file_in_memory(content);
  if (!bytes.valid()) return os_error("write", path_ / relative, errno);
  return put_file(relative, bytes.get(), mode, sync);
}

Result<void> ConfinedDirectory::put_link(const fs::path& relative,
                                         const std::string& target) const {
  auto parent = directory(relative.parent_path(), true);
  if (!parent) return parent.error();
  ::unlinkat(parent->get(), temporary, 0);
  if (::symlinkat(target.c_str(), parent->get(), temporary) != 0) {
    return os_error("make", path_ / relative, errno);
  }
  const UniqueFd link = open_at(parent->get(), temporary, O_PATH);
  struct stat info {};
  if (link.valid() && ::fstat(link.get(), &info) == 0 && S_ISLNK(info.st_mode)) give(link.get());
  const int failure = replace(parent->get(), temporary, parent->get(), relative.filename().c_str());
  if (failure == 0) return {};
  ::unlinkat(parent->get(), temporary, 0);
  return os_error("make", path_ / relative, failure);
}

Result<void> ConfinedDirectory::rewrite_in_place(const fs::path& relative, int from) const {
  const fs::path path = path_ / relative;
  auto file = open_file(relative, O_WRONLY);
  if (!file) return file.error();
  struct stat before {};
  struct stat after {};
  if (::fstat(file->get(), &before) != 0 || ::fstat(from, &after) != 0) {
    return os_error("rewrite", path, errno);
  }
  // Allocates the space first, so that a full disk leaves the old content intact.
  if (after.st_size > before.st_size &&
      ::fallocate(file->get(), FALLOC_FL_KEEP_SIZE, 0, after.st_size) != 0 && errno != EOPNOTSUPP &&
      errno != ENOSYS) {
    return os_error("rewrite", path, errno);
  }
  if (const int failure = copy_bytes(from, file->get())) return os_error("rewrite", path, failure);
  if (::ftruncate(file->get(), after.st_size) != 0 || ::fsync(file->get()) != 0) {
    return os_error("rewrite", path, errno);
  }
  return {};
}

Result<void> ConfinedDirectory::set_executable(const fs::path& relative, bool executable) const {
  auto file = open_file(relative, O_WRONLY);
  if (!file) return file.error();
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return os_error("read", path_ / relative, errno);
  const mode_t readers = (info.st_mode & 0444U) >> 2U;
  const mode_t mode = executable ? info.st_mode | readers : info.st_mode & ~mode_t{0111};
  if ((mode & 07777U) == (info.st_mode & 07777U)) return {};
  if (::fchmod(file->get(), mode & 07777U) != 0) {
    return os_error("change", path_ / relative, errno);
  }
  return {};
}

Result<void> ConfinedDirectory::create_file(const fs::path& relative,
                                            std::string_view content) const {
  auto parent = directory(relative.parent_path(), true);
  if (!parent) return parent.error();
  const fs::path name = relative.filename();
  const UniqueFd file =
      open_at(parent->get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL, file_mode);
  if (!file.valid()) return os_error("make", path_ / relative, errno);
  give(file.get());
  int failure = write_all(file.get(), content);
  if (failure == 0 && ::fsync(file.get()) != 0) failure = errno;
  if (failure == 0) return {};
  ::unlinkat(parent->get(), name.c_str(), 0);
  return os_error("write", path_ / relative, failure);
}

Result<void> ConfinedDirectory::append(const fs::path& relative, std::string_view content) const {
  auto file = open_file(relative, O_WRONLY | O_APPEND);
  if (!file && file.error().code == Errc::not_found) return create_file(relative, content);
  if (!file) return file.error();
  const int failure = write_all(file->get(), content);
  if (failure == 0) return {};
  return os_error("append to", path_ / relative, failure);
}

Result<void> ConfinedDirectory::rename(const fs::path& from, const fs::path& to) const {
  auto from_parent = directory(from.parent_path(), false);
  if (!from_parent) return from_parent.error();
  auto to_parent = directory(to.parent_path(), false);
  if (!to_parent) return to_parent.error();
  const int failure =
      replace(from_parent->get(), from.filename().c_str(), to_parent->get(), to.filename().c_str());
  if (failure == 0) return {};
  return os_error("write", path_ / to, failure);
}

Result<void> ConfinedDirectory::remove(const fs::path& relative) const {
  auto parent = directory(relative.parent_path(), false);
  if (!parent && parent.error().code == Errc::not_found) return {};
  if (!parent) return parent.error();
  if (::unlinkat(parent->get(), relative.filename().c_str(), 0) == 0 || errno == ENOENT) return {};
  return os_error("remove", path_ / relative, errno);
}

void ConfinedDirectory::remove_empty_directories(const fs::path& relative) const {
  for (fs::path path = relative; !path.empty(); path = path.parent_path()) {
    auto parent = directory(path.parent_path(), false);
    if (!parent && parent.error().code == Errc::not_found) continue;
    if (!parent || ::unlinkat(parent->get(), path.filename().c_str(), AT_REMOVEDIR) != 0) return;
  }
}

Result<void> ConfinedDirectory::sync() const {
  if (::syncfs(top_.get()) != 0) return os_error("sync", path_, errno);
  return {};
}

}  // namespace trimtab
