// Reading and writing through file descriptors.
#pragma once

#include <string_view>

#include "common/files.hpp"

namespace trimtab {

// Writes all of it. Returns 0, or the errno of the write that failed.
int write_all(int fd, std::string_view content);

// Writes all bytes of the file `from`, wherever its offset is. Returns 0, or an errno.
int copy_bytes(int from, int to);

// A file in memory that has these bytes, its offset at the first. Not valid, with errno set, if
// there is no memory.
UniqueFd file_in_memory(std::string_view content);

}  // namespace trimtab
