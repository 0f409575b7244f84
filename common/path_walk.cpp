#include "common/path_walk.hpp"

namespace trimtab {

std::deque<std::string> components(const std::filesystem::path& path) {
  std::deque<std::string> parts;
  for (const std::filesystem::path& part : path.relative_path()) {
    if (!part.empty() && part != ".") parts.push_back(part.string());
  }
  return parts;
}

}  // namespace trimtab
