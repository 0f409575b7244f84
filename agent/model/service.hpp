// Reads the parts of a rendered service that trimtab decides on, as Compose 1.29 and 2.x write
// them.
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
// The host's ports that the service is sure to take. Not those of a range for one port of the
// container, of which Docker takes any that is free.
std::vector<PublishedPort> published_ports_of(const Json& service);

// The files that `configs:` and `secrets:` of the service name in the project, by host path.
std::vector<std::string> config_files_of(const Json& project, const Json& service);

// Names to values; no value where the file gives the name alone.
std::map<std::string, std::optional<std::string>> environment_of(const Json& service);

// The project's networks that the service is attached to, by their names in the compose file.
std::vector<std::string> networks_of(const Json& service);

// The services that this one waits for until they have exited with 0.
std::vector<std::string> jobs_awaited_by(const Json& service);

// The services that are started before this one.
std::vector<std::string> dependencies_of(const Json& service);

// The health check that a container of the service has; `image`: that of its image, or null. What
// the file does not say is the image's; nothing where there is none, or where it is switched off.
std::optional<HealthCheck> health_check_of(const Json& service, const HealthCheck* image);

// How many containers the service is to have (deploy.replicas or scale), 1 by default.
int replicas_of(const Json& service);

// How many of them are replaced at a time (deploy.update_config.parallelism, 0 means all), 1 by
// default.
int parallelism_of(const Json& service);

// Bytes that a container of it is said to need (mem_reservation, or deploy.resources.reservations),
// 0 where nothing is said.
std::uint64_t memory_reserved_by(const Json& service);

}  // namespace trimtab
