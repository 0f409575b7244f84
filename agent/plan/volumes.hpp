// The named volumes in which services keep their data. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/model/release_record.hpp"

namespace trimtab {

// Returns the host's name of the volume called `volume` in the Compose file.
std::string volume_name(const Rendering& rendering, const std::string& project,
                        const std::string& volume);

// Returns the host's names of mounted volumes, each with the services that mount it. Excludes
// external volumes, which Compose never creates.
std::map<std::string, std::set<std::string>> named_volumes(const Rendering& rendering,
                                                           const std::string& project);

// Returns the rendering with `volumes` (the host's names) marked as external, so that Compose
// refuses to start without them instead of creating them.
Json with_external_volumes(const Rendering& rendering, const std::string& project,
                           const std::set<std::string>& volumes);

struct LostVolume {
  std::string volume;        // the host's name
  std::string service;       // service that kept its data there
  bool has_options = false;  // has a driver or options of its own

  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string hint() const;
  friend bool operator==(const LostVolume&, const LostVolume&) = default;
};

// Returns the services that were working with the release.
std::set<std::string> services_that_ran(const ReleaseRecord& release);

// Returns the volumes of a release that ran which no longer exist on this host and which Compose
// would recreate empty. `present`: the host's volumes.
std::vector<LostVolume> lost_volumes(const ReleaseRecord& release, const Rendering& rendering,
                                     const std::set<std::string>& present);

// Returns the lost volumes that Compose would create for this rendering: it creates all volumes of
// the file, even if the services it starts mount none.
std::vector<LostVolume> made_anew(std::vector<LostVolume> lost, const Rendering& rendering,
                                  const std::string& project);

}  // namespace trimtab
