// Translates paths: the project is rendered in a staging directory but runs from the live one.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/model/facts.hpp"
#include "common/json.hpp"

namespace trimtab {

// Removes `root` from every path at or below it: from a string that is one, and wherever ${PWD} has
// put one into a longer string.
void take_root_off(Json& model, const std::string& root);

// Returns the paths below the live directory that each service mounts, relative to it ("." is the
// whole directory).
std::map<std::string, std::vector<std::string>> mounted_paths(const Json& model,
                                                              const std::string& live);

// Returns the tracked files among them: service → path → blob.
std::map<std::string, std::map<std::string, std::string>> mounted_files(
    const std::map<std::string, std::vector<std::string>>& mounted,
    const std::vector<TreeEntry>& tree);

// Returns the tracked files that are themselves bind-mounted: a container keeps using their inode.
std::set<std::string> files_mounted_alone(
    const std::map<std::string, std::vector<std::string>>& mounted,
    const std::vector<TreeEntry>& tree);

}  // namespace trimtab
