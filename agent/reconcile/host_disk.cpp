#include "agent/reconcile/host_disk.hpp"

#include <sys/statvfs.h>

namespace trimtab {

std::optional<std::uint64_t> free_bytes(const std::filesystem::path& directory) {
  struct statvfs status {};
  if (directory.empty() || ::statvfs(directory.c_str(), &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace trimtab
