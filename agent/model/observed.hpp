// What is running, as reported by the Docker Engine.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/health_check.hpp"
#include "agent/model/registry_routes.hpp"
#include "common/text.hpp"

namespace trimtab {

enum class ContainerState { created, running, paused, restarting, removing, exited, dead };
enum class Health { none, starting, healthy, unhealthy };

std::string_view to_string(ContainerState state);
std::string_view to_string(Health health);
std::optional<ContainerState> container_state_from(std::string_view text);
std::optional<Health> health_from(std::string_view text);

struct PublishedPort {
  std::string host_ip;  // "" or "0.0.0.0": all addresses
  int host_port = 0;
  std::string protocol = "tcp";
  bool is_chance = false;  // the Engine chose a free port
};

// Address of a container in one of its networks.
struct NetworkAddress {
  std::string network;
  std::string ipv4;  // "" if it has none or is not running
  std::vector<std::string> aliases;
};

// A container of a Compose project or, in a list of all containers, any container.
//
// More than 15 members: plain data from the Engine's inspect response.
struct Container {
  std::string id;
  std::string name;          // without the leading slash
  std::string project;       // label com.docker.compose.project, "" if none
  std::string service;       // label com.docker.compose.service, "" if none
  std::string working_dir;   // label com.docker.compose.project.working_dir, "" if none
  std::string config_files;  // label com.docker.compose.project.config_files, separated by commas
  std::string compose_version;  // label com.docker.compose.version
  std::string config_hash;      // label com.docker.compose.config-hash
  int number = 1;               // label com.docker.compose.container-number
  bool oneoff = false;          // `compose run`
  bool is_marked = false;       // label com.docker.compose.oneoff is False, as Compose sets it
  bool is_counted = false;      // Compose counts it as its service's, whoever created it
  std::string image;            // reference that it was created from
  std::string image_id;         // sha256:…
  ContainerState state = ContainerState::created;
  Health health = Health::none;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;  // the Engine's message if it could not be started
  int restart_count = 0;
  std::string restart_policy;  // no, always, unless-stopped, on-failure
  WallTime created_at;
  WallTime started_at;
  WallTime finished_at;
  std::string last_health_output;  // output of the latest health check, truncated
  std::vector<PublishedPort> ports;
  std::map<std::string, std::string> bind_mounts;  // destination → source on the host
  std::map<std::string, std::string> volumes;  // destination → volume, including anonymous ones
  int pid = 0;                                 // host pid of its first process; 0: not running
  std::string hosts_path;                      // host path of its /etc/hosts
  std::vector<NetworkAddress> networks;
  // Ids of the containers whose network, IPC or PID namespace it shares.
  std::vector<std::string> shares_with;
  std::optional<HealthCheck> health_check;  // of the Compose file and the image combined
};

// Whether the volume is anonymous, that is, has an id instead of a name.
bool is_anonymous_volume(std::string_view name);

// A process on the host that listens on a port.
struct PortHolder {
  PublishedPort port;
  std::string who;  // "nginx (process 812)"
};

// All containers of a project at one moment.
struct Observed {
  std::vector<Container> containers;  // except one-off ones
  WallTime at;
};

// Returns the service's containers; the pointers are valid as long as `observed`.
std::vector<const Container*> containers_of(const Observed& observed, const std::string& service);

struct Image {
  std::string id;
  std::vector<std::string> repo_digests;  // short form: acme/backend@sha256:…
  std::vector<std::string> repo_tags;
  std::vector<std::string> layers;  // diff ids, base layer first
  std::uint64_t size = 0;           // bytes
  std::string os;
  std::string architecture;
  std::map<std::string, std::string> environment;
  std::optional<HealthCheck> health_check;
};

// Description of the Engine.
struct EngineInfo {
  std::string version;      // 20.10.24
  std::string api_version;  // the negotiated version
  std::string os;
  std::string architecture;  // the Engine's name: x86_64, aarch64
  std::string root_directory;
  std::uint64_t memory = 0;  // bytes
  RegistryRoutes registries;
};

// An event of the Engine about a container of a Compose project.
struct EngineEvent {
  std::int64_t time_nano = 0;
  std::string action;  // start, die, kill, stop, destroy, "health_status: healthy", …
  std::string id;
  std::string name;
  std::string project;
  std::string service;
  int exit_code = 0;  // for "die"
};

struct PullProgress {
  std::uint64_t current = 0;  // bytes downloaded of the layers known so far
  std::uint64_t total = 0;    // total bytes of those layers; grows as more become known
  std::string status;         // "Downloading", "Extracting", …
};

}  // namespace trimtab
