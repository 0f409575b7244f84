// Temporary files that a killed daemon left behind.
#pragma once

#include <filesystem>

namespace trimtab {

// Removes the files in the directory itself, not those in directories below it, whose names are
// those that write_file_durably and replace_symlink give before they rename: with a dot in front.
// For directories in which nothing else has such a name, while nobody writes there. What cannot be
// removed stays.
void remove_temporary_files(const std::filesystem::path& directory);

}  // namespace trimtab
