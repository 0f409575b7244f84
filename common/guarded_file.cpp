#include "common/guarded_file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <optional>

#include "common/fd_io.hpp"
#include "common/path_walk.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

// The users' links followed so far, and whether their owner could have followed the rest of the
// path.
struct Followed {
  std::optional<uid_t> owner;  // of the first such link
  fs::path link;               // first such link
  bool many_owners = false;
  bool searchable = true;

  void add(const fs::path& path, const struct stat& info) {
    if (info.st_uid == 0 || info.st_uid == ::geteuid()) return;
    if (owner && *owner != info.st_uid) many_owners = true;
    if (owner) return;
    owner = info.st_uid;
    link = path;
  }
  void go_through(const struct stat& directory) {
    if (!owner || (directory.st_mode & S_IXOTH) != 0) return;
    if (directory.st_uid != *owner || many_owners) searchable = false;
  }
  [[nodiscard]] bool may_read(const struct stat& file) const {
    if (!owner) return true;
    if (file.st_uid == *owner && !many_owners) return true;
    return searchable && (file.st_mode & S_IROTH) != 0;
  }
};

Result<UniqueFd> open_at(int parent, const std::string& name, const fs::path& path) {
  UniqueFd fd(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return os_error("read", path, errno);
  return fd;
}

Error not_his(const fs::path& path, const fs::path& target, const Followed& followed) {
  const std::string link = followed.link.string();
  return Error{
      Errc::untrusted,
      fmt::format("cannot read {}: the symbolic link {} belongs to user {}, who may not have "
                  "access to {}, to which it points",
                  path.string(), link, *followed.owner, target.string()),
      fmt::format(
          "if this is intended, run chown -h root: {}; else put the file itself in its place",
          link)};
}

}  // namespace

Result<UniqueFd> open_guarded(const fs::path& path) {
  if (!path.is_absolute()) {
    return Error{Errc::invalid, path.string() + " is not an absolute path", {}};
  }
  UniqueFd at(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  fs::path seen = "/";
  std::deque<std::string> left = components(path);
  Followed followed;
  int links = 0;
  while (!left.empty()) {
    const std::string name = left.front();
    left.pop_front();
    struct stat parent {};
    if (::fstat(at.get(), &parent) != 0) return os_error("read", path, errno);
    followed.go_through(parent);
    Result<UniqueFd> next = open_at(at.get(), name, path);
    if (!next) return next;
    struct stat info {};
    if (::fstat(next->get(), &info) != 0) return os_error("read", path, errno);
    if (!S_ISLNK(info.st_mode)) {
      at = std::move(*next);
      seen = name == ".." ? seen.parent_path() : seen / name;
      continue;
    }
    std::array<char, 4096> target{};
    const ssize_t length = ::readlinkat(next->get(), "", target.data(), target.size());
    if (length < 0) return os_error("read", path, errno);
    if (++links > max_links) return os_error("read", path, ELOOP);
    followed.add(seen / name, info);
    const fs::path leads_to(std::string(target.data(), static_cast<std::size_t>(length)));
    const std::deque<std::string> more = components(leads_to);
    left.insert(left.begin(), more.begin(), more.end());
    if (!leads_to.is_absolute()) continue;
    at = UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    seen = "/";
  }
  struct stat file {};
  if (::fstat(at.get(), &file) != 0) return os_error("read", path, errno);
  if (!S_ISREG(file.st_mode)) {
    return Error{Errc::invalid, path.string() + " is not a regular file", {}};
  }
  if (!followed.may_read(file)) return not_his(path, seen, followed);
  // Reopens the file that was checked, not whatever has its name now.
  UniqueFd open(::open((fmt::format("/proc/self/fd/{}", at.get())).c_str(),
                       O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!open.valid()) return os_error("read", path, errno);
  return open;
}

Result<std::string> read_guarded(const fs::path& path, std::size_t limit) {
  const Result<UniqueFd> file = open_guarded(path);
  if (!file) return file.error();
  return read_all(file->get(), path, limit);
}

}  // namespace trimtab
