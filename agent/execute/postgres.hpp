// Major versions of the running PostgreSQL and of the one in a release.
#pragma once

#include "agent/docker/docker.hpp"
#include "agent/model/release.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab {

// By service, of those whose image changes, is here, and says which PostgreSQL it holds, as the
// official ones do.
Task<std::map<std::string, preflight::PostgresMajors>> postgres_majors(
    Docker& docker, std::vector<Container> containers, std::map<std::string, ImagePin> images);

}  // namespace trimtab
