#include "agent/record/leftovers.hpp"

#include <vector>

namespace trimtab {

void remove_temporary_files(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> left;
  std::error_code ec;
  for (std::filesystem::directory_iterator next(directory, ec), end; !ec && next != end;
       next.increment(ec)) {
    if (next->path().filename().string().starts_with('.')) left.push_back(next->path());
  }
  for (const std::filesystem::path& path : left) {
    const auto status = std::filesystem::symlink_status(path, ec);
    if (!std::filesystem::is_directory(status)) std::filesystem::remove(path, ec);
  }
}

}  // namespace trimtab
