// Whether root may execute a file or rely on its content.
#pragma once

#include <filesystem>

#include "common/result.hpp"

namespace trimtab {

// Who may read the file: a secret must be readable by its owner only.
enum class Privacy { secret, open };

// Applies the rule of sudo and sshd: the file, every directory above it and every symbolic link on
// the way must belong to root or the effective user, and must not be writable by anybody else.
// Sticky directories such as /tmp, where only owners can rename and remove files, are accepted.
//
// untrusted, with the command that fixes it; not_found if it does not exist but the directories
// above it are trusted; invalid if it is not a regular file.
Result<void> check_trusted(const std::filesystem::path& path, Privacy privacy);

}  // namespace trimtab
