// What runs, as the Docker Engine says.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/health_check.hpp"
#include "common/text.hpp"

namespace trimtab {

enum class ContainerState { created, running, paused, restarting, removing, exited, dead };
enum class Health { none, starting, healthy, unhealthy };

std::string_view to_string(ContainerState state);
std::string_view to_string(Health health);

struct PublishedPort {
  std::string host_ip;  // "" or "0.0.0.0": all
  int host_port = 0;
  std::string protocol = "tcp";
  bool is_chance = false;  // the Engine took one that was free
};

// Where a container is reached in one of its networks.
struct NetworkAddress {
  std::string network;
  std::string ipv4;  // "" where it has none, or does not run
  std::vector<std::string> aliases;
};

// One container of a compose project (or, in a listing of all, of anything).
struct Container {
  std::string id;
  std::string name;             // without the leading slash
  std::string project;          // label com.docker.compose.project, "" if none
  std::string service;          // label com.docker.compose.service, "" if none
  std::string working_dir;      // label com.docker.compose.project.working_dir, "" if none
  std::string config_files;     // label com.docker.compose.project.config_files: by commas
  std::string compose_version;  // label com.docker.compose.version
  std::string config_hash;      // label com.docker.compose.config-hash
  int number = 1;               // label com.docker.compose.container-number
  bool oneoff = false;          // `compose run`
  bool is_marked = false;       // label com.docker.compose.oneoff says False, as Compose writes it
  bool is_counted = false;      // a Compose takes it for one of its service's, whoever made it
  std::string image;            // the reference it was created from
  std::string image_id;         // sha256:…
  ContainerState state = ContainerState::created;
  Health health = Health::none;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;  // what the Engine said when it could not start it
  int restart_count = 0;
  std::string restart_policy;  // no, always, unless-stopped, on-failure
  WallTime created_at;
  WallTime started_at;
  WallTime finished_at;
  std::string last_health_output;  // of the newest health check, bounded
  std::vector<PublishedPort> ports;
  std::map<std::string, std::string> bind_mounts;  // destination → source on the host
  std::map<std::string, std::string> volumes;      // destination → volume, unnamed ones too
  int pid = 0;             // of its first process, on the host; 0: it does not run
  std::string hosts_path;  // what it has as /etc/hosts, on the host
  std::vector<NetworkAddress> networks;
  // Ids of the containers whose network, memory (ipc) or processes (pid) it shares.
  std::vector<std::string> shares_with;
  std::optional<HealthCheck> health_check;  // the file's and the image's together
};

// Whether the volume has no name of anybody's, only an id.
bool is_anonymous_volume(std::string_view name);

// A process of the host that listens on a port.
struct PortHolder {
  PublishedPort port;
  std::string who;  // "nginx (process 812)"
};

// All containers of one project at one moment.
struct Observed {
  std::vector<Container> containers;  // without one-off ones
  WallTime at;
};

// Those of a service; they live as long as `observed`.
std::vector<const Container*> containers_of(const Observed& observed, const std::string& service);

struct Image {
  std::string id;
  std::vector<std::string> repo_digests;  // familiar form: acme/backend@sha256:…
  std::vector<std::string> repo_tags;
  std::vector<std::string> layers;  // diff ids, from the base up
  std::uint64_t size = 0;           // bytes
  std::string os;
  std::string architecture;
  std::map<std::string, std::string> environment;
  std::optional<HealthCheck> health_check;
};

// What the Engine is.
struct EngineInfo {
  std::string version;      // 20.10.24
  std::string api_version;  // the negotiated one
  std::string os;
  std::string architecture;  // as the Engine says: x86_64, aarch64
  std::string root_directory;
  std::uint64_t memory = 0;  // bytes
};

// One event of the Engine about a container of a compose project.
struct EngineEvent {
  std::int64_t time_nano = 0;
  std::string action;  // start, die, kill, stop, destroy, "health_status: healthy", …
  std::string id;
  std::string name;
  std::string project;
  std::string service;
  int exit_code = 0;  // of "die"
};

struct PullProgress {
  std::uint64_t current = 0;  // bytes downloaded of the layers known so far
  std::uint64_t total = 0;    // bytes of those layers; grows while more become known
  std::string status;         // "Downloading", "Extracting", …
};

}  // namespace trimtab
