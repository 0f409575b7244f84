// The certificates of a stack's servers, and self-signed ones to begin with.
#pragma once

#include <filesystem>
#include <vector>

#include "agent/model/release.hpp"
#include "agent/model/server_certificate.hpp"

namespace trimtab {

// Returns the certificates named in the nginx configuration files that the release mounts. `live`:
// the directory to which the rendering's paths belong; `tracked`: where the configuration files are
// read, the same or a checkout of the release's commit.
std::vector<ServerCertificateFile> find_certificates(const Rendering& rendering,
                                                     const std::filesystem::path& live,
                                                     const std::filesystem::path& tracked);

// Creates self-signed pairs, valid for a month, for those that are missing, and replaces
// self-signed ones that expire within days. Returns a line about each.
Result<std::vector<std::string>> provide_certificates(
    const std::vector<ServerCertificateFile>& certificates, const std::filesystem::path& live);

}  // namespace trimtab
