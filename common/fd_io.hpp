// Reading and writing through file descriptors.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/files.hpp"

namespace trimtab {

// Writes all of it. Returns 0, or the errno of the write that failed.
int write_all(int fd, std::string_view content);

// Writes all bytes of the file `from`, wherever its offset is. Returns 0, or an errno.
int copy_bytes(int from, int to);

// The rest of the file; too_large if that is more than `limit` bytes. `path` is for errors.
Result<std::string> read_all(int fd, const std::filesystem::path& path, std::size_t limit);

// A file in memory that has these bytes, its offset at the first. Not valid, with errno set, if
// there is no memory.
UniqueFd file_in_memory(std::string_view content);

}  // namespace trimtab
