// Access to files in a directory that another user may own and modify at any moment.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "common/files.hpp"

namespace trimtab {

// When the content of a file is synced: before it is moved into place, so that a power cut leaves
// either the old or the complete new content; or later, by sync().
enum class SyncBytes { first, later };

// Confines root's file access to one directory. Paths are relative to it and must not contain "..".
// Symbolic links in them are never followed, even if the owner swaps components concurrently,
// because each component is opened relative to its parent. So root writes only where the
// directory's owner could write. Created files belong to that owner.
//
// Errors name the path. conflict if a symbolic link, or something of the wrong type, is in the
// path.
//
// More than 15 members: one per file operation that has to be confined.
class ConfinedDirectory {
 public:
  // `path` must be absolute. Symbolic links in it are followed only if root or the effective user
  // owns them. not_found if it does not exist.
  static Result<ConfinedDirectory> open(const std::filesystem::path& path);
  // Like open(), but creates missing directories, owned by the effective user.
  static Result<ConfinedDirectory> make(const std::filesystem::path& path);

  // The path passed to open() or make().
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // lstat.
  [[nodiscard]] Result<struct stat> status(const std::filesystem::path& relative) const;
  // Opens a regular file for reading.
  [[nodiscard]] Result<UniqueFd> read(const std::filesystem::path& relative) const;

  // mkdir -p.
  [[nodiscard]] Result<void> make_directories(const std::filesystem::path& relative) const;
  // Creates a file with the content of `from`, replacing a file, a link or empty directories.
  // Creates missing parent directories.
  [[nodiscard]] Result<void> put_file(const std::filesystem::path& relative, int from, mode_t mode,
                                      SyncBytes sync = SyncBytes::first) const;
  [[nodiscard]] Result<void> put_file(const std::filesystem::path& relative,
                                      std::string_view content, mode_t mode,
                                      SyncBytes sync = SyncBytes::first) const;
  // The same for a symbolic link, whose target may be anywhere.
  [[nodiscard]] Result<void> put_link(const std::filesystem::path& relative,
                                      const std::string& target) const;
  // Overwrites a regular file in place, keeping its inode. conflict if it has several hard links.
  [[nodiscard]] Result<void> rewrite_in_place(const std::filesystem::path& relative,
                                              int from) const;
  // Sets or clears the execute bits of a regular file: everyone who may read it may execute it.
  [[nodiscard]] Result<void> set_executable(const std::filesystem::path& relative,
                                            bool executable) const;
  // Creates the file durably with mode 0644. conflict if something exists there.
  [[nodiscard]] Result<void> create_file(const std::filesystem::path& relative,
                                         std::string_view content) const;
  // Appends to a regular file, creating it with mode 0644. conflict if it has several hard links.
  [[nodiscard]] Result<void> append(const std::filesystem::path& relative,
                                    std::string_view content) const;
  // Replaces a file, a link or empty directories at `to`.
  [[nodiscard]] Result<void> rename(const std::filesystem::path& from,
                                    const std::filesystem::path& to) const;
  // Removes a file or a link. Succeeds if there is nothing.
  [[nodiscard]] Result<void> remove(const std::filesystem::path& relative) const;
  // Removes this directory and its ancestors, as far as they are empty.
  void remove_empty_directories(const std::filesystem::path& relative) const;

  // syncfs: everything written is on disk when it returns.
  [[nodiscard]] Result<void> sync() const;

 private:
  ConfinedDirectory(UniqueFd top, std::filesystem::path path, const struct stat& owner);

  // "" stands for the directory itself.
  [[nodiscard]] Result<UniqueFd> directory(const std::filesystem::path& relative,
                                           bool make_missing) const;
  [[nodiscard]] Result<UniqueFd> open_file(const std::filesystem::path& relative, int flags) const;
  void give(int fd) const;

  UniqueFd top_;
  std::filesystem::path path_;
  uid_t owner_;
  gid_t group_;
  bool owned_by_another_;
};

}  // namespace trimtab
