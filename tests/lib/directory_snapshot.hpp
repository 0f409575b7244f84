// All that can be seen of a directory: to show that nothing in it was touched.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>

#include "common/files.hpp"

namespace trimtab::test {

// By path: kind, mode, owner, and the bytes or where a link leads.
inline std::map<std::string, std::string> snapshot(const std::filesystem::path& directory) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> all;
  const auto add = [&all](const fs::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return;
    std::string text = std::to_string(info.st_mode) + " " + std::to_string(info.st_uid) + ":" +
                       std::to_string(info.st_gid) + " ";
    if (S_ISREG(info.st_mode)) text += read_file(path).value();
    if (S_ISLNK(info.st_mode)) text += fs::read_symlink(path).string();
    all[path.string()] = text;
  };
  add(directory);
  for (const auto& entry : fs::recursive_directory_iterator(directory)) add(entry.path());
  return all;
}

}  // namespace trimtab::test
