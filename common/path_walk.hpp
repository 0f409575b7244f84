// For walking a path one component at a time, because others may change it meanwhile.
#pragma once

#include <deque>
#include <filesystem>
#include <string>

namespace trimtab {

// Maximum number of symbolic links to follow: the kernel's own limit, path_resolution(7).
inline constexpr int max_links = 40;

// Returns the components of an absolute or relative path in order, without "/" and ".".
std::deque<std::string> components(const std::filesystem::path& path);

}  // namespace trimtab
