// Files below a directory that somebody else may own, and may change at any moment.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "common/files.hpp"

namespace trimtab {

// When the bytes of a file are synced: before it takes its place, so that a power cut leaves either
// what was there or all of the new one; or later, by sync().
enum class SyncBytes { first, later };

// Paths are relative to the directory and without "..". No symbolic link in them is followed,
// whatever is exchanged meanwhile: each component is opened by itself, below the one before. So
// root writes nowhere but where the directory's owner could. What is made belongs to that owner.
//
// Errors name the path; conflict where a symbolic link, or something of the wrong kind, stands in
// it.
class ConfinedDirectory {
 public:
  // An absolute path. A symbolic link in it is followed only if root, or the user that we run as,
  // owns it. not_found where it does not exist.
  static Result<ConfinedDirectory> open(const std::filesystem::path& path);
  // Makes what is missing of the path, for the user that we run as.
  static Result<ConfinedDirectory> make(const std::filesystem::path& path);

  // As it was given.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // What stands there, without following it.
  [[nodiscard]] Result<struct stat> status(const std::filesystem::path& relative) const;
  // A regular file, open for reading.
  [[nodiscard]] Result<UniqueFd> read(const std::filesystem::path& relative) const;

  // mkdir -p.
  [[nodiscard]] Result<void> make_directories(const std::filesystem::path& relative) const;
  // Puts a file there with the bytes of `from`, in place of a file, a link or empty directories.
  // Missing directories are made.
  [[nodiscard]] Result<void> put_file(const std::filesystem::path& relative, int from, mode_t mode,
                                      SyncBytes sync = SyncBytes::first) const;
  [[nodiscard]] Result<void> put_file(const std::filesystem::path& relative,
                                      std::string_view content, mode_t mode,
                                      SyncBytes sync = SyncBytes::first) const;
  // The same with a symbolic link, which may lead anywhere.
  [[nodiscard]] Result<void> put_link(const std::filesystem::path& relative,
                                      const std::string& target) const;
  // Overwrites the bytes of a regular file that has one name, keeping its inode.
  [[nodiscard]] Result<void> rewrite_in_place(const std::filesystem::path& relative,
                                              int from) const;
  // Sets or clears the execute bits of a regular file; whoever may read it may run it.
  [[nodiscard]] Result<void> set_executable(const std::filesystem::path& relative,
                                            bool executable) const;
  // Makes the file, mode 0644, durably. conflict where something is there already.
  [[nodiscard]] Result<void> create_file(const std::filesystem::path& relative,
                                         std::string_view content) const;
  // Appends to a regular file that has one name; makes it, mode 0644, where there is none.
  [[nodiscard]] Result<void> append(const std::filesystem::path& relative,
                                    std::string_view content) const;
  // Takes the place of a file, a link or empty directories.
  [[nodiscard]] Result<void> rename(const std::filesystem::path& from,
                                    const std::filesystem::path& to) const;
  // Removes a file or a link. Nothing there is success.
  [[nodiscard]] Result<void> remove(const std::filesystem::path& relative) const;
  // Removes the directories that are empty, from this one upwards.
  void remove_empty_directories(const std::filesystem::path& relative) const;

  // syncfs: all that was written is on the disk when it returns.
  [[nodiscard]] Result<void> sync() const;

 private:
  ConfinedDirectory(UniqueFd top, std::filesystem::path path, const struct stat& owner);

  // The directory itself for "".
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
