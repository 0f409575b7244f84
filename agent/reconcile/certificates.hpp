// The certificates of a stack's servers: which there are, and one to begin with where there is
// none.
#pragma once

#include <filesystem>
#include <vector>

#include "agent/model/release.hpp"
#include "agent/model/server_certificate.hpp"

namespace trimtab {

// Those that nginx's configuration files name which the release mounts. `live`: the directory that
// the rendering's paths are of; `tracked`: where the configuration files are read, the same or a
// checkout of the release's commit.
std::vector<ServerCertificateFile> find_certificates(const Rendering& rendering,
                                                     const std::filesystem::path& live,
                                                     const std::filesystem::path& tracked);

// Makes self-signed pairs, good for a month, in place of those that are missing and of self-signed
// ones that end within days. A line of what was done for each.
Result<std::vector<std::string>> provide_certificates(
    const std::vector<ServerCertificateFile>& certificates, const std::filesystem::path& live);

}  // namespace trimtab
