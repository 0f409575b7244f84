// Reading from and writing to file descriptors.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/files.hpp"

namespace trimtab {

// Writes the whole content. Returns 0, or the errno of the failed write.
int write_all(int fd, std::string_view content);

// Copies the whole file `from`, regardless of its offset. Returns 0 or an errno.
int copy_bytes(int from, int to);

// Reads the rest of the file; too_large if that exceeds `limit` bytes. `path` is for error
// messages.
Result<std::string> read_all(int fd, const std::filesystem::path& path, std::size_t limit);

// Creates an anonymous file in memory with this content, positioned at its start. Invalid, with
// errno set, if out of memory.
UniqueFd file_in_memory(std::string_view content);

}  // namespace trimtab
