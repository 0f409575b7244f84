#include "tests/simulation/disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "common/fd_io.hpp"

namespace trimtab::simulation::disk {
namespace {

namespace fs = std::filesystem;

// A file, folder or link, as it is on the disk.
struct Node {
  mode_t mode = 0;
  timespec changed{};
  std::string bytes;                                     // of a file; the target of a link
  std::map<std::string, std::shared_ptr<Node>> entries;  // of a folder
};

fs::path root;
dev_t device = 0;
bool daemon_runs = false;
bool is_dead = false;
bool full = false;
std::uint64_t changes_left = 0;  // 0: it is not to be killed
std::shared_ptr<Node> durable;
std::map<ino_t, std::shared_ptr<Node>> nodes;  // whatever was synced, or is named by what was

std::string bytes_of(const fs::path& path) {
  const Result<std::string> bytes = read_file(path);
  return bytes ? *bytes : "";
}

std::shared_ptr<Node> node_of(const struct stat& info, const fs::path& path) {
  std::shared_ptr<Node>& node = nodes[info.st_ino];
  if (!node) node = std::make_shared<Node>();
  node->mode = info.st_mode;
  node->changed = info.st_mtim;
  if (S_ISLNK(info.st_mode)) node->bytes = fs::read_symlink(path).string();
  return node;
}

std::string target_of(int folder, const char* name) {
  std::string target(4096, '\0');
  const ssize_t length = ::readlinkat(folder, name, target.data(), target.size());
  target.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  return target;
}

void note_entry(Node& folder, int fd, const dirent64& entry) {
  const std::string_view name = entry.d_name;
  if (name == "." || name == "..") return;
  std::shared_ptr<Node>& node = nodes[entry.d_ino];
  if (!node) {
    struct stat info {};
    if (::fstatat(fd, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return;
    node = std::make_shared<Node>();
    node->mode = info.st_mode;
    node->changed = info.st_mtim;
    if (S_ISLNK(info.st_mode)) node->bytes = target_of(fd, entry.d_name);
  }
  folder.entries[std::string(name)] = node;
}

// Its names; what they name is on the disk as it was synced itself.
void note_folder(Node& folder, int fd) {
  folder.entries.clear();
  // Whoever reads the folder by the same descriptor goes on where they were.
  const off_t before = ::lseek(fd, 0, SEEK_CUR);
  ::lseek(fd, 0, SEEK_SET);
  alignas(dirent64) char entries[16384];
  for (;;) {
    const long size = ::syscall(SYS_getdents64, fd, entries, sizeof entries);
    if (size <= 0) break;
    for (long at = 0; at < size;) {
      const auto& entry = *reinterpret_cast<const dirent64*>(entries + at);
      note_entry(folder, fd, entry);
      at += entry.d_reclen;
    }
  }
  ::lseek(fd, before, SEEK_SET);
}

void note_all(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return;
  const std::shared_ptr<Node> node = node_of(info, path);
  if (S_ISREG(info.st_mode)) node->bytes = bytes_of(path);
  if (!S_ISDIR(info.st_mode)) return;
  for (const auto& entry : fs::directory_iterator(path)) note_all(entry.path());
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  note_folder(*node, fd.get());
}

std::string bytes_of(int fd, off_t size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  const ssize_t count = ::pread(fd, bytes.data(), bytes.size(), 0);
  // One that is open for writing alone.
  return count == size ? bytes : bytes_of("/proc/self/fd/" + std::to_string(fd));
}

void note_synced(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_dev != device) return;
  std::shared_ptr<Node>& node = nodes[info.st_ino];
  if (!node) node = std::make_shared<Node>();
  node->mode = info.st_mode;
  node->changed = info.st_mtim;
  if (S_ISREG(info.st_mode)) node->bytes = bytes_of(fd, info.st_size);
  if (S_ISDIR(info.st_mode)) note_folder(*node, fd);
}

// 0, or the error that the daemon's change of a file meets.
int refuse(bool needs_space) {
  if (!daemon_runs) return 0;
  if (changes_left > 0 && --changes_left == 0) is_dead = true;
  if (is_dead) return EIO;
  return full && needs_space ? ENOSPC : 0;
}

bool is_file_here(int fd) {
  struct stat info {};
  return daemon_runs && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_dev == device;
}

using RollingUpdateSpec = std::function<std::uint64_t(std::uint64_t)>;

// Of what was written since it was synced, any part may have reached the disk.
std::string left_of(const std::string& synced, const std::string& written,
                    const RollingUpdateSpec& roll) {
  if (!written.starts_with(synced)) return roll(2) == 0 ? synced : written;
  const std::size_t more = written.size() - synced.size();
  const std::uint64_t kind = roll(3);
  if (kind == 0) return synced;
  return written.substr(0, synced.size() + (kind == 1 ? more : roll(more + 1)));
}

// Gives the bytes of those files that lose some.
void tear(const fs::path& path, const RollingUpdateSpec& roll, std::map<ino_t, std::string>* left) {
  for (const auto& entry : fs::directory_iterator(path)) {
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) tear(entry.path(), roll, left);
    if (!S_ISREG(info.st_mode)) continue;
    const auto node = nodes.find(info.st_ino);
    const std::string synced = node == nodes.end() ? "" : node->second->bytes;
    const std::string written = bytes_of(entry.path());
    const std::string bytes = left_of(synced, written, roll);
    if (bytes != written) (*left)[info.st_ino] = bytes;
    if (node != nodes.end()) node->second->bytes = bytes;
  }
}

void set_times(const fs::path& path, const Node& node) {
  const timespec times[2]{node.changed, node.changed};
  ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

void write_bytes(const fs::path& path, const std::string& bytes, mode_t mode) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid() || write_all(fd.get(), bytes) != 0) throw std::runtime_error("cannot write");
  ::fchmod(fd.get(), mode & 07777);
}

void put_back(const Node& folder, const fs::path& path) {
  for (const auto& [name, node] : folder.entries) {
    const fs::path here = path / name;
    if (S_ISDIR(node->mode)) {
      fs::create_directory(here);
      ::chmod(here.c_str(), node->mode & 07777);
      put_back(*node, here);
    } else if (S_ISLNK(node->mode)) {
      fs::create_symlink(node->bytes, here);
    } else {
      write_bytes(here, node->bytes, node->mode);
    }
    set_times(here, *node);
  }
}

// The names as they are, the bytes as they were left.
void put_bytes(const fs::path& path, const std::map<ino_t, std::string>& left) {
  for (const auto& entry : fs::directory_iterator(path)) {
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) put_bytes(entry.path(), left);
    const auto found = left.find(info.st_ino);
    if (found != left.end()) write_bytes(entry.path(), found->second, info.st_mode);
  }
}

}  // namespace

void begin(const fs::path& directory) {
  struct stat info {};
  root = directory;
  if (::stat(root.c_str(), &info) != 0) throw std::runtime_error("no folder for the disk");
  device = info.st_dev;
  nodes.clear();
  note_all(root);
  durable = nodes.at(info.st_ino);
}

DaemonRuns::DaemonRuns() {
  daemon_runs = true;
}

DaemonRuns::~DaemonRuns() {
  daemon_runs = false;
}

void kill_after(std::uint64_t changes) {
  changes_left = changes + 1;
}

bool is_killed() {
  return is_dead;
}

void start() {
  is_dead = false;
  changes_left = 0;
}

void set_full(bool is_full) {
  full = is_full;
}

void cut_power(const RollingUpdateSpec& roll) {
  // Names are kept in the order in which they were changed: here all of those that were not synced,
  // or none. A cut at another moment is another place in that order.
  const bool are_names_kept = roll(2) == 0;
  std::map<ino_t, std::string> left;
  tear(root, roll, &left);
  if (are_names_kept) {
    put_bytes(root, left);
  } else {
    for (const auto& entry : fs::directory_iterator(root)) fs::remove_all(entry.path());
    put_back(*durable, root);
  }
  begin(root);
}

}  // namespace trimtab::simulation::disk

namespace disk = trimtab::simulation::disk;

// NOLINTBEGIN: the C library's own names.
namespace {

// The answer of a call that is refused, or else of the kernel.
template <typename... Arguments>
long answer(bool needs_space, long number, Arguments... arguments) {
  if (const int error = disk::refuse(needs_space); error != 0) {
    errno = error;
    return -1;
  }
  return ::syscall(number, arguments...);
}

int open_at(int folder, const char* path, int flags, unsigned mode) {
  const bool makes = (flags & O_CREAT) != 0;
  if (!makes && (flags & O_TRUNC) == 0) {
    return static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
  }
  return static_cast<int>(answer(makes, SYS_openat, folder, path, flags, mode));
}

unsigned mode_of(int flags, va_list arguments) {
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return has_mode ? va_arg(arguments, unsigned) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

int mkostemp(char* pattern, int flags) {
  static unsigned made = 0;
  std::string path = pattern;
  for (;;) {
    const std::string digits = std::to_string(1'000'000 + ++made % 1'000'000).substr(1);
    path.replace(path.size() - digits.size(), digits.size(), digits);
    const int fd = open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_EXCL | flags, 0600);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd >= 0) path.copy(pattern, path.size());
    return fd;
  }
}

ssize_t write(int fd, const void* bytes, size_t count) {
  if (!disk::is_file_here(fd)) return ::syscall(SYS_write, fd, bytes, count);
  return answer(true, SYS_write, fd, bytes, count);
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  return static_cast<int>(answer(true, SYS_fallocate, fd, mode, offset, length));
}

int ftruncate(int fd, off_t length) noexcept {
  return static_cast<int>(answer(false, SYS_ftruncate, fd, length));
}

int rename(const char* from, const char* to) noexcept {
  return static_cast<int>(answer(false, SYS_rename, from, to));
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return static_cast<int>(answer(false, SYS_renameat, from_folder, from, to_folder, to));
}

int link(const char* from, const char* to) noexcept {
  return static_cast<int>(answer(true, SYS_link, from, to));
}

int symlink(const char* target, const char* path) noexcept {
  return static_cast<int>(answer(true, SYS_symlink, target, path));
}

int symlinkat(const char* target, int folder, const char* path) noexcept {
  return static_cast<int>(answer(true, SYS_symlinkat, target, folder, path));
}

int mkdir(const char* path, mode_t mode) noexcept {
  return static_cast<int>(answer(true, SYS_mkdir, path, mode));
}

int mkdirat(int folder, const char* path, mode_t mode) noexcept {
  return static_cast<int>(answer(true, SYS_mkdirat, folder, path, mode));
}

int rmdir(const char* path) noexcept {
  return static_cast<int>(answer(false, SYS_rmdir, path));
}

int unlink(const char* path) noexcept {
  return static_cast<int>(answer(false, SYS_unlink, path));
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  return static_cast<int>(answer(false, SYS_unlinkat, folder, path, flags));
}

int remove(const char* path) noexcept {
  const int removed = unlink(path);
  return removed != 0 && errno == EISDIR ? rmdir(path) : removed;
}

int fsync(int fd) {
  // What is synced is known here; tmpfs has nothing to do for it.
  const int error = disk::refuse(false);
  if (error == 0) disk::note_synced(fd);
  errno = error;
  return error == 0 ? 0 : -1;
}

int fdatasync(int fd) {
  return fsync(fd);
}

int syncfs(int fd) noexcept {
  static_cast<void>(fd);
  const int error = disk::refuse(false);
  if (error == 0 && disk::durable) disk::note_all(disk::root);
  errno = error;
  return error == 0 ? 0 : -1;
}

}  // extern "C"
// NOLINTEND
