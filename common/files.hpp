// Durable file operations: each happens completely or not at all, and is on disk when the call
// returns.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace trimtab {

// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept;

 private:
  int fd_ = -1;
};

// The error "cannot WHAT PATH: strerror", with the Errc for `error_number`.
Error os_error(std::string_view what, const std::filesystem::path& path, int error_number);

// Whether something has this name, be it a link that leads nowhere.
bool is_there(const std::filesystem::path& path);

// Reads the whole file; too_large if it exceeds `limit` bytes, not_found if it does not exist.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::size_t limit = 16 * 1024 * 1024);

// Reads at most the first `size` bytes of a regular file; a link in its place is not followed.
Result<std::string> read_beginning(const std::filesystem::path& path, std::size_t size);

// Reads a secret of one line (token, password). Trailing white space is removed; an empty secret is
// an error.
Result<std::string> read_secret_file(const std::filesystem::path& path);

// Writes a temporary file in the same directory, fsyncs and renames it, and fsyncs the directory.
Result<void> write_file_durably(const std::filesystem::path& path, std::string_view content,
                                unsigned mode = 0600);

// Overwrites an existing file in place, keeping its inode, for files that containers mount.
Result<void> rewrite_in_place(const std::filesystem::path& path, std::string_view content);

// Appends and fsyncs. Creates the file with mode 0600.
Result<void> append_durably(const std::filesystem::path& path, std::string_view content);

// Makes `link` point to `target` (relative or absolute), durably, by renaming a new link.
Result<void> replace_symlink(const std::filesystem::path& link,
                             const std::filesystem::path& target);

// mkdir -p with mode 0700 for created directories, durably.
Result<void> make_private_directory(const std::filesystem::path& path);

// Creates an empty directory for content that is rebuilt after a crash. Replaces whatever is there;
// nothing is synced.
Result<void> make_scratch_directory(const std::filesystem::path& path);

Result<void> sync_directory(const std::filesystem::path& path);

// Syncs the directory and all files and directories below it. Does not follow links.
Result<void> sync_tree(const std::filesystem::path& path);

// rm -rf without following links. Succeeds if there is nothing.
Result<void> remove_tree(const std::filesystem::path& path);

// Locks a file or directory until the result is destroyed or the process exits; conflict if it is
// locked already.
Result<UniqueFd> lock_file(const std::filesystem::path& path);

}  // namespace trimtab
