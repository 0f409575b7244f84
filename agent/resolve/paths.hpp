// The project is rendered in a staging folder, but runs from the live directory.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/model/facts.hpp"
#include "common/json.hpp"

namespace trimtab {

// Every string of the model that is `root` or a path below it, as it is with "/" in its place.
void take_root_off(Json& model, const std::string& root);

// Which paths below the live directory does each service mount, relative to it ("." is all of it)?
std::map<std::string, std::vector<std::string>> mounted_paths(const Json& model,
                                                              const std::string& live);

// Of those, what Git tracks: service → path → blob.
std::map<std::string, std::map<std::string, std::string>> mounted_files(
    const std::map<std::string, std::vector<std::string>>& mounted,
    const std::vector<TreeEntry>& tree);

// Tracked files that are bind mounts themselves: a container holds on to their inode.
std::set<std::string> files_mounted_alone(
    const std::map<std::string, std::vector<std::string>>& mounted,
    const std::vector<TreeEntry>& tree);

}  // namespace trimtab
