#include "common/fd_io.hpp"

#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr std::size_t min_piece = 16 * 1024;

}  // namespace

int write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

int copy_bytes(int from, int to) {
  std::array<char, 64 * 1024> piece{};
  for (off_t at = 0;;) {
    const ssize_t n = ::pread(from, piece.data(), piece.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return 0;
    const int failure = write_all(to, {piece.data(), static_cast<std::size_t>(n)});
    if (failure != 0) return failure;
    at += n;
  }
}

Result<std::string> read_all(int fd, const std::filesystem::path& path, std::size_t limit) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return os_error("read", path, errno);
  // Files in /proc report size 0 although they have content. With one byte more the end is read.
  const auto size = static_cast<std::size_t>(std::max<off_t>(info.st_size, 0));
  std::string content(size == 0 ? min_piece : std::min(size, limit) + 1, '\0');
  for (std::size_t filled = 0;;) {
    if (filled == content.size()) content.resize(2 * filled);
    const ssize_t n = ::read(fd, content.data() + filled, content.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error("read", path, errno);
    if (n == 0) {
      content.resize(filled);
      return content;
    }
    filled += static_cast<std::size_t>(n);
    if (filled > limit) {
      return Error{
          Errc::too_large,
          fmt::format("{} has more than {}, which is the limit", path.string(), human_size(limit)),
          {}};
    }
  }
}

UniqueFd file_in_memory(std::string_view content) {
  UniqueFd fd(::memfd_create("trimtab", MFD_CLOEXEC));
  if (!fd.valid()) return fd;
  const int failure = write_all(fd.get(), content);
  if (failure == 0 && ::lseek(fd.get(), 0, SEEK_SET) == 0) return fd;
  if (failure != 0) errno = failure;
  return {};
}

}  // namespace trimtab
