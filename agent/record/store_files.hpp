// The files of a stack's record, as its parts read and write them. Blocking: for the disk thread.
#pragma once

#include <filesystem>
#include <string>

#include "common/json.hpp"
#include "common/result.hpp"

namespace trimtab {

// Name that a release's record has once it was set aside because it could not be read.
constexpr const char* quarantined_record = "release.json.broken";

// Number that a file's name is, or 0.
int number_of(const std::string& name);

Result<Json> read_json(const std::filesystem::path& path);

// Is on the disk when it returns.
Result<void> write_json(const std::filesystem::path& path, const Json& json);

}  // namespace trimtab
