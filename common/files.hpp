// Files that survive a crash: whole or not at all, and on the disk when a call returns.
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

// "cannot WHAT PATH: strerror", with the Errc that belongs to `error_number`.
Error os_error(std::string_view what, const std::filesystem::path& path, int error_number);

// The whole file; too_large if it has more than `limit` bytes, not_found if it does not exist.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::size_t limit = 16 * 1024 * 1024);

// A secret of one line (token, password): trailing white space is cut off; empty is an error.
Result<std::string> read_secret_file(const std::filesystem::path& path);

// Temporary file in the same folder, fsync, rename, fsync of the folder.
Result<void> write_file_durably(const std::filesystem::path& path, std::string_view content,
                                unsigned mode = 0600);

// Overwrites the bytes of an existing file, keeping its inode: for files that containers mount.
Result<void> rewrite_in_place(const std::filesystem::path& path, std::string_view content);

// Appends and fsyncs. Creates the file with mode 0600.
Result<void> append_durably(const std::filesystem::path& path, std::string_view content);

// Makes `link` point to `target` (relative or absolute) by rename, durably.
Result<void> replace_symlink(const std::filesystem::path& link,
                             const std::filesystem::path& target);

// mkdir -p with mode 0700 for the folders it makes, durably.
Result<void> make_private_directory(const std::filesystem::path& path);

// An empty folder for what is made anew after a crash: in place of whatever is there, and nothing
// of it is synced.
Result<void> make_scratch_directory(const std::filesystem::path& path);

Result<void> sync_directory(const std::filesystem::path& path);

// All files and folders below, and the folder itself, are on the disk when it returns. Links and
// what they lead to are not looked at.
Result<void> sync_tree(const std::filesystem::path& path);

// rm -rf without following links. Nothing there is success.
Result<void> remove_tree(const std::filesystem::path& path);

// Locks a file or a folder until the result or this process is gone; conflict if it is locked.
Result<UniqueFd> lock_file(const std::filesystem::path& path);

}  // namespace trimtab
