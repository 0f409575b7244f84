// Finds the tracked files that are replaced under the containers that mount them. Pure.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/model/release_record.hpp"
#include "agent/model/running_set.hpp"
#include "agent/model/service.hpp"

namespace trimtab {

// Path → blob.
using FileBlobs = std::map<std::string, std::string>;

// The tracked files that the service mounts.
FileBlobs files_of(const Release& release, const std::string& service);

// The services whose mounted files the release changes from how they ran.
std::set<std::string> with_new_files(const Release& release, const RunningSet& before,
                                     const Releases& releases);

// The files of the commit that take the place of what the service mounts: path in its container →
// path in the commit. Not those that are new in a directory: Docker would make them in the live
// one.
std::map<std::string, std::string> files_to_try(const FileBlobs& before, const FileBlobs& after,
                                                const std::vector<Mount>& mounts,
                                                const std::filesystem::path& live);

}  // namespace trimtab
