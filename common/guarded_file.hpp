// Reading files as root whose paths other users may modify.
#pragma once

#include <filesystem>
#include <string>

#include "common/files.hpp"

namespace trimtab {

// Opens a regular file for reading with the rule that the kernel applies in /tmp
// (fs.protected_symlinks), but in every directory: a symbolic link of a user other than root and
// the effective user is followed only to a file that its owner could read: one that the owner owns,
// or one readable by everyone in directories searchable by everyone. Each component is opened
// relative to its parent, so that the file that was checked is the one that is read, even if the
// path changes concurrently.
//
// untrusted, naming the link, its owner and the command that fixes it; not_found; invalid if it is
// not a regular file.
Result<UniqueFd> open_guarded(const std::filesystem::path& path);

// Reads the whole file; too_large if it exceeds `limit` bytes.
Result<std::string> read_guarded(const std::filesystem::path& path, std::size_t limit);

}  // namespace trimtab
