// Whether the daemon's own bare repository is at fault.
#pragma once

#include <filesystem>
#include <string>

#include "common/async.hpp"

namespace trimtab {

// What is wrong with it, in Git's words: settings or HEAD that cannot be read, refs that name
// nothing, objects that are missing or do not unpack. "" if it is sound or not there, or if that
// could not be found out. Reads every object.
Task<std::string> find_damage(std::filesystem::path repository);

}  // namespace trimtab
