#include "agent/reconcile/state_directory.hpp"

#include <fmt/core.h>

#include "agent/model/service.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

// The kernel's limit: a path with more links counts as a cycle.
constexpr int max_links = 40;

bool is_below(const fs::path& path, const fs::path& directory) {
  const fs::path rest = path.lexically_relative(directory);
  return !rest.empty() && *rest.begin() != "..";
}

fs::path follow(const fs::path& source, const fs::path& live, const fs::path& checkout, int links) {
  std::error_code ec;
  if (is_below(source, live) && links < max_links) {
    const fs::path inside = source.lexically_relative(live);
    fs::path walked;
    for (auto part = inside.begin(); part != inside.end(); ++part) {
      const fs::path target = fs::read_symlink(checkout / walked / *part, ec);
      // Staging links what Git does not track; those are no longer links once the commit is live.
      if (!ec && target != live / walked / *part) {
        fs::path next = (live / walked / target).lexically_normal();
        for (++part; part != inside.end(); ++part) next /= *part;
        return follow(next, live, checkout, links + 1);
      }
      walked /= *part;
    }
  }
  const fs::path real = fs::weakly_canonical(source, ec);
  return ec ? source : real;
}

}  // namespace

fs::path real_source(const fs::path& source, const fs::path& live, const fs::path& checkout) {
  return follow(source.lexically_normal(), live, checkout, 0);
}

bool shows_state(const fs::path& path, const fs::path& state) {
  if (path == path.root_path()) return false;
  return is_below(path, state) || is_below(state, path);
}

std::map<std::string, std::string> host_paths(const Json& model) {
  std::map<std::string, std::string> paths;
  for (const auto& item : json_object(model, "services").items()) {
    for (const Mount& mount : mounts_of(item.value())) {
      if (mount.type == "bind")
        paths.emplace(mount.source, fmt::format("service {} mounts", item.key()));
    }
    for (const std::string& file : config_files_of(model, item.value())) {
      paths.emplace(file, fmt::format("service {} mounts", item.key()));
    }
  }
  for (const auto& item : json_object(model, "volumes").items()) {
    const std::string device = json_string(json_object(item.value(), "driver_opts"), "device");
    if (device.starts_with('/')) paths.emplace(device, fmt::format("the volume {} is", item.key()));
  }
  return paths;
}

}  // namespace trimtab
