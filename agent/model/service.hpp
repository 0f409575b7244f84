// Reads the parts of a rendered service on which trimtab's decisions depend, as rendered by
// Compose 1.29 and 2.x.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "common/json.hpp"

namespace trimtab {

struct Mount {
  std::string type;    // bind, volume, tmpfs, …
  std::string source;  // host path or volume name; empty: anonymous
  std::string target;
  bool read_only = false;

  friend bool operator==(const Mount&, const Mount&) = default;
};

std::vector<Mount> mounts_of(const Json& service);
// Returns the host ports that the service certainly takes. Excludes a port range for a single
// container port, from which Docker picks a free one.
std::vector<PublishedPort> published_ports_of(const Json& service);

// Returns the host paths of the files that the service's `configs:` and `secrets:` refer to.
std::vector<std::string> config_files_of(const Json& project, const Json& service);

// Returns names and values; no value if the file only gives a name.
std::map<std::string, std::optional<std::string>> environment_of(const Json& service);

// Returns the networks that the service joins, by their names in the Compose file.
std::vector<std::string> networks_of(const Json& service);

// Returns the services whose exit with 0 this one waits for.
std::vector<std::string> jobs_awaited_by(const Json& service);

// Returns the services that must be started before this one.
std::vector<std::string> dependencies_of(const Json& service);

// Returns the health check of the service's containers. Values not set in the Compose file come
// from `image`, the image's health check or null. Nothing if there is none or it is disabled.
std::optional<HealthCheck> health_check_of(const Json& service, const HealthCheck* image);

// Returns the number of containers the service should have (deploy.replicas or scale); 1 by
// default.
int replicas_of(const Json& service);

// Returns how many of them are replaced at a time (deploy.update_config.parallelism, 0 means all);
// 1 by default.
int parallelism_of(const Json& service);

// Returns the memory reserved for each container in bytes (mem_reservation, or
// deploy.resources.reservations); 0 if not set.
std::uint64_t memory_reserved_by(const Json& service);

}  // namespace trimtab
