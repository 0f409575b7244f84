#include "common/files.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "common/fd_io.hpp"
#include "common/text.hpp"
#include "common/trusted_file.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

UniqueFd open_file(const fs::path& path, int flags, unsigned mode = 0) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, mode));
}

// An unused name beside `path` for a link (for files mkostemp is used).
fs::path temporary_name(const fs::path& path) {
  return directory_of(path) / (fmt::format(".{}.{}.tmp", path.filename().string(), ::getpid()));
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

int UniqueFd::release() noexcept {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

Error os_error(std::string_view what, const fs::path& path, int error_number) {
  Error error;
  error.message = fmt::format("cannot {} {}: {}", what, path.string(),
                              std::generic_category().message(error_number));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      error.code = Errc::not_found;
      break;
    case EACCES:
    case EPERM:
      error.code = Errc::denied;
      break;
    case ENOSPC:
    case EDQUOT:
      error.code = Errc::no_space;
      error.hint = "free some space; `df -h` shows which disk is full";
      break;
    case EROFS:
      error.hint = "the file system is mounted read-only, often after a disk error: see `dmesg`";
      break;
    case EWOULDBLOCK:
    case EEXIST:
      error.code = Errc::conflict;
      break;
    default:
      break;
  }
  return error;
}

bool is_there(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Result<std::string> read_file(const fs::path& path, std::size_t limit) {
  // O_NONBLOCK, because opening a pipe in the file's place would block.
  const UniqueFd fd = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!fd.valid()) return os_error("read", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return os_error("read", path, errno);
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    return Error{Errc::invalid, path.string() + " is a pipe or a device, not a file", {}};
  }
  return read_all(fd.get(), path, limit);
}

Result<std::string> read_beginning(const fs::path& path, std::size_t size) {
  const UniqueFd fd = open_file(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  if (!fd.valid()) return os_error("read", path, errno);
  std::string content(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t n = ::read(fd.get(), content.data() + filled, size - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error("read", path, errno);
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  content.resize(filled);
  return content;
}

Result<std::string> read_secret_file(const fs::path& path) {
  constexpr std::size_t longest = 64 * 1024;
  if (auto trusted = check_trusted(path, Privacy::secret); !trusted) return trusted.error();
  auto content = read_file(path, longest);
  if (!content) return content;
  const auto end = content->find_last_not_of(" \t\r\n");
  if (end == std::string::npos) {
    return Error{Errc::invalid, path.string() + " is empty", "put the secret into it"};
  }
  content->resize(end + 1);
  if (content->find_first_of("\r\n") != std::string::npos) {
    return Error{Errc::invalid, path.string() + " has more than one line",
                 "it must contain only the secret"};
  }
  return content;
}

Result<void> write_file_durably(const fs::path& path, std::string_view content, unsigned mode) {
  std::string temporary =
      (directory_of(path) / (fmt::format(".{}.XXXXXX", path.filename().string()))).string();
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return os_error("write", path, errno);
  int failure = write_all(fd.get(), content);
  if (failure == 0 && ::fchmod(fd.get(), mode) != 0) failure = errno;
  if (failure == 0 && ::fsync(fd.get()) != 0) failure = errno;
  if (::close(fd.release()) != 0 && failure == 0) failure = errno;
  if (failure == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) failure = errno;
  if (failure != 0) {
    ::unlink(temporary.c_str());
    return os_error("write", path, failure);
  }
  return sync_directory(directory_of(path));
}

Result<void> rewrite_in_place(const fs::path& path, std::string_view content) {
  // O_NOFOLLOW, because a link in a checkout may point to any file of the host.
  const UniqueFd fd = open_file(path, O_WRONLY | O_NOFOLLOW);
  if (!fd.valid()) return os_error("rewrite", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return os_error("rewrite", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Error{
        Errc::conflict, fmt::format("cannot rewrite {}: not a regular file", path.string()), {}};
  }
  // Allocates the space first, so that a full disk leaves the old content intact.
  if (static_cast<off_t>(content.size()) > info.st_size &&
      ::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(content.size())) != 0 &&
      errno != EOPNOTSUPP && errno != ENOSYS) {
    return os_error("rewrite", path, errno);
  }
  if (const int failure = write_all(fd.get(), content); failure != 0) {
    return os_error("rewrite", path, failure);
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(content.size())) != 0 || ::fsync(fd.get()) != 0) {
    return os_error("rewrite", path, errno);
  }
  return {};
}

Result<void> append_durably(const fs::path& path, std::string_view content) {
  bool created = true;
  UniqueFd fd = open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0600);
  if (!fd.valid() && errno == EEXIST) {
    created = false;
    fd = open_file(path, O_WRONLY | O_APPEND);
  }
  if (!fd.valid()) return os_error("append to", path, errno);
  struct stat before {};
  if (::fstat(fd.get(), &before) != 0) return os_error("append to", path, errno);
  if (const int failure = write_all(fd.get(), content); failure != 0) {
    // Otherwise the next append would continue a partial entry.
    const bool undone = ::ftruncate(fd.get(), before.st_size) == 0;
    Error error = os_error("append to", path, failure);
    return undone ? error : error.context("a part of it stays");
  }
  if (::fsync(fd.get()) != 0) return os_error("append to", path, errno);
  if (created) return sync_directory(directory_of(path));
  return {};
}

Result<void> replace_symlink(const fs::path& link, const fs::path& target) {
  const fs::path temporary = temporary_name(link);
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) return os_error("make", link, errno);
  if (::rename(temporary.c_str(), link.c_str()) != 0) {
    const int failure = errno;
    ::unlink(temporary.c_str());
    return os_error("replace", link, failure);
  }
  return sync_directory(directory_of(link));
}

namespace {

Result<void> make_directory(const fs::path& path, bool durably) {
  std::error_code ec;
  if (fs::is_directory(path, ec)) return {};
  if (path.has_parent_path() && path.parent_path() != path) {
    if (auto made = make_directory(path.parent_path(), durably); !made) return made;
  }
  if (path.filename().empty()) return {};  // "a/b/" ends with an empty name
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return os_error("create the directory", path, errno);
  }
  if (!fs::is_directory(path, ec)) return os_error("create the directory", path, ENOTDIR);
  return durably ? sync_directory(directory_of(path)) : Result<void>();
}

}  // namespace

Result<void> make_private_directory(const fs::path& path) {
  return make_directory(path, true);
}

Result<void> make_scratch_directory(const fs::path& path) {
  if (auto removed = remove_tree(path); !removed) return removed;
  return make_directory(path, false);
}

Result<void> sync_directory(const fs::path& path) {
  const UniqueFd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!fd.valid() || ::fsync(fd.get()) != 0) return os_error("sync the directory", path, errno);
  return {};
}

Result<void> sync_tree(const fs::path& path) {
  std::error_code ec;
  for (fs::directory_iterator next(path, ec), end; !ec && next != end; next.increment(ec)) {
    const fs::file_status status = next->symlink_status(ec);
    if (ec) break;
    if (fs::is_directory(status)) {
      if (auto synced = sync_tree(next->path()); !synced) return synced;
    } else if (fs::is_regular_file(status)) {
      const UniqueFd fd = open_file(next->path(), O_RDONLY | O_NOFOLLOW);
      if (!fd.valid() || ::fsync(fd.get()) != 0) return os_error("sync", next->path(), errno);
    }
  }
  if (ec) return os_error("sync", path, ec.value());
  return sync_directory(path);
}

Result<void> remove_tree(const fs::path& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec) return os_error("remove", path, ec.value());
  return {};
}

Result<UniqueFd> lock_file(const fs::path& path) {
  UniqueFd fd = open_file(path, O_RDONLY);
  if (!fd.valid()) return os_error("lock", path, errno);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) {
      return Error{Errc::conflict, path.string() + " is locked by another process", {}};
    }
    return os_error("lock", path, errno);
  }
  return fd;
}

}  // namespace trimtab
