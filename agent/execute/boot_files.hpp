// The files of a release that the stack's unit reads: boot.env lists the services to start, and
// boot.yaml is the compose file with every known volume marked external, so that none is recreated.
#pragma once

#include <set>
#include <string>

#include "agent/config/settings.hpp"
#include "agent/docker/docker.hpp"
#include "agent/model/release.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

struct BootFiles {
  std::string env;
  std::string yaml;
};

struct BootInput {
  const Rendering* rendering = nullptr;
  std::string project;
  std::set<std::string> jobs;     // services that are known to do their work and exit
  std::set<std::string> volumes;  // that must not be made: there, or known to have been
  // Services of which somebody else's container seems to be one: the unit has only Compose, which
  // would keep the newer one of the two and remove the other.
  std::set<std::string> taken;
};

// Pure.
BootFiles boot_files(const BootInput& input);

// Writes both for a release. Gives the services that are taken. All outlives the call. Errors:
// those of Docker and of writing.
Task<Result<std::set<std::string>>> save_boot_files(Docker& docker, const StackSettings& settings,
                                                    Store& store, Rendering rendering, int number,
                                                    std::set<std::string> jobs);

}  // namespace trimtab
