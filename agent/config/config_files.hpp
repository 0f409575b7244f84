// Finds and reads the configuration files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/reader.hpp"

namespace trimtab {

constexpr const char* daemon_file_name = "trimtab.yaml";
constexpr const char* stacks_directory = "stacks.d";

// The origin of a file. Files in the configuration directory decide what root runs, so they must
// be trusted.
enum class Origin { given, installed };

// The file's text; absent if it cannot be read, which is reported.
std::optional<std::string> read_text(Document& document, Origin origin);

struct StackFiles {
  std::vector<std::filesystem::path> files;
  bool is_complete = true;  // false: the directory is missing or cannot be listed
};

// Finds the stack files in the directory and reports other files that look like misnamed ones, and
// a directory that cannot be listed. A missing one is no mistake: there may be no stack yet.
StackFiles find_stack_files(const std::filesystem::path& directory, std::vector<Finding>& findings);

}  // namespace trimtab
