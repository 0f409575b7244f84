#include "common/trusted_file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>

#include "common/files.hpp"
#include "common/path_walk.hpp"

namespace trimtab {

namespace fs = std::filesystem;

namespace {

Error untrusted(const fs::path& file, const fs::path& part, const std::string& why,
                const std::string& command) {
  const std::string what = part == file ? "it " : part.string() + " ";
  return Error{Errc::untrusted, fmt::format("{} cannot be trusted: {}{}", file.string(), what, why),
               fmt::format("run {} {}", command, part.string())};
}

bool is_ours(const struct stat& info) {
  return info.st_uid == 0 || info.st_uid == ::geteuid();
}

Result<void> check_component(const fs::path& file, const fs::path& part, const struct stat& info,
                             Privacy privacy) {
  if (!is_ours(info)) {
    const std::string why = fmt::format("belongs to user {}, not to root", info.st_uid);
    return untrusted(file, part, why, S_ISLNK(info.st_mode) ? "chown -h root:" : "chown root:");
  }
  if (S_ISLNK(info.st_mode)) return {};  // who may replace it depends on its directory
  const bool shared = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !shared) {
    return untrusted(file, part, "is writable by users other than its owner", "chmod go-w");
  }
  if (S_ISDIR(info.st_mode)) return {};
  if (!S_ISREG(info.st_mode)) {
    return Error{Errc::invalid, file.string() + " is not a regular file", {}};
  }
  if (privacy == Privacy::secret && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return untrusted(file, part, "is accessible to users other than its owner", "chmod 600");
  }
  return {};
}

}  // namespace

Result<void> check_trusted(const fs::path& path, Privacy privacy) {
  std::deque<std::string> left;
  const auto put_first = [&left](const fs::path& more) {
    std::deque<std::string> parts;
    for (const fs::path& part : more.relative_path()) {
      if (!part.empty() && part != ".") parts.push_back(part.string());
    }
    left.insert(left.begin(), parts.begin(), parts.end());
  };
  put_first(fs::absolute(path));
  fs::path seen = "/";
  int links = 0;
  for (;;) {
    struct stat info {};
    if (::lstat(seen.c_str(), &info) != 0) return os_error("read", path, errno);
    if (left.empty() && S_ISDIR(info.st_mode)) {
      return Error{Errc::invalid, path.string() + " is not a regular file", {}};
    }
    // The file that the path finally refers to; a link on the way is reported by its own name.
    const fs::path named = left.empty() && links == 0 ? path : seen;
    if (auto trusted = check_component(path, named, info, privacy); !trusted) return trusted;
    if (S_ISLNK(info.st_mode)) {
      std::array<char, 4096> target{};
      const ssize_t length = ::readlink(seen.c_str(), target.data(), target.size());
      if (length < 0) return os_error("read", path, errno);
      if (++links > max_links) return os_error("read", path, ELOOP);
      const fs::path leads_to(std::string(target.data(), static_cast<std::size_t>(length)));
      seen = leads_to.is_absolute() ? fs::path("/") : seen.parent_path();
      put_first(leads_to);
      continue;
    }
    if (left.empty()) return {};
    if (!S_ISDIR(info.st_mode)) return os_error("read", path, ENOTDIR);
    const std::string next = left.front();
    left.pop_front();
    seen = next == ".." ? seen.parent_path() : seen / next;
  }
}

}  // namespace trimtab
