// Whether root may run, or believe, what is in a file.
#pragma once

#include <filesystem>

#include "common/result.hpp"

namespace trimtab {

// Who may read it: a secret's file nobody but its owner.
enum class Privacy { secret, open };

// As sudo and sshd look at theirs: the file, each directory above it and each symbolic link on the
// way belong to root, or to the user that we run as, and nobody else can write to them. A directory
// such as /tmp, where everybody can write and only owners can rename and remove, will do.
//
// untrusted, with the command that mends it; not_found where it does not exist, below directories
// that are all right; invalid where it is no regular file.
Result<void> check_trusted(const std::filesystem::path& path, Privacy privacy);

}  // namespace trimtab
