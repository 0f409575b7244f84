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

// Returns the stack files in the directory and reports other files that look like misnamed ones.
std::vector<std::filesystem::path> find_stack_files(const std::filesystem::path& directory,
                                                    std::vector<Finding>& findings);

}  // namespace trimtab
