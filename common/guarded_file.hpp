// Files that root reads by paths that users may change.
#pragma once

#include <filesystem>
#include <string>

#include "common/files.hpp"

namespace trimtab {

// As the kernel has it for /tmp (fs.protected_symlinks), in every directory: a symbolic link of a
// user, other than root and the one that we run as, is followed only to a file that he could read
// himself: his own, or one open to all in directories open to all. Each component is opened by
// itself, below the one before, so that what was looked at is what is read, whatever is exchanged
// meanwhile.
//
// Open for reading. untrusted, with the link, its owner and the command that mends it; not_found;
// invalid where it is no regular file.
Result<UniqueFd> open_guarded(const std::filesystem::path& path);

// The whole file; too_large if it has more than `limit` bytes.
Result<std::string> read_guarded(const std::filesystem::path& path, std::size_t limit);

}  // namespace trimtab
