#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace trimtab {

// Bytes that are free on the file system of this directory; unset where it cannot be asked.
std::optional<std::uint64_t> free_bytes(const std::filesystem::path& directory);

}  // namespace trimtab
