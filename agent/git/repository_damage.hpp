// Whether the daemon's own bare repository is at fault. It is checked (git fsck, at most once an
// hour) when Git fails for no reason of the remote's, the host's or the commit's. If it is damaged
// it is fetched anew beside the old one, which gives what releases it still can before it goes.
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
