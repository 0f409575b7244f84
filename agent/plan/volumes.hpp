// The named volumes that services keep their data in. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/model/release_record.hpp"

namespace trimtab {

// The host's name of the volume that the compose file calls `volume`.
std::string volume_name(const Rendering& rendering, const std::string& project,
                        const std::string& volume);

// The host's names of the volumes that services mount, each with these services. Without external
// volumes, which Compose never makes.
std::map<std::string, std::set<std::string>> named_volumes(const Rendering& rendering,
                                                           const std::string& project);

// The rendering for those who must not make `volumes` (the host's names): they are external ones,
// without which Compose refuses to start anything.
Json with_external_volumes(const Rendering& rendering, const std::string& project,
                           const std::set<std::string>& volumes);

struct LostVolume {
  std::string volume;        // the host's name of it
  std::string service;       // that kept its data there
  bool has_options = false;  // a driver or options of its own

  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string hint() const;
  friend bool operator==(const LostVolume&, const LostVolume&) = default;
};

// The services that ran well with the release.
std::set<std::string> services_that_ran(const ReleaseRecord& release);

// The volumes of a release that ran which are not on this host any more. Compose would make empty
// ones in their place. `present`: the host's volumes.
std::vector<LostVolume> lost_volumes(const ReleaseRecord& release, const Rendering& rendering,
                                     const std::set<std::string>& present);

// Those of the lost volumes that Compose would make for this rendering: it makes all that the file
// has, also where it is asked for services that mount none.
std::vector<LostVolume> made_anew(std::vector<LostVolume> lost, const Rendering& rendering,
                                  const std::string& project);

}  // namespace trimtab
