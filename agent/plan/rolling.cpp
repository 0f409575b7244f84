#include "agent/plan/rolling.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "agent/model/service.hpp"
#include "agent/plan/dependants.hpp"

namespace trimtab {
namespace {

constexpr std::array<std::string_view, 22> databases{
    "postgres", "postgresql", "postgis",   "timescaledb", "pgvector",      "mysql",
    "mariadb",  "percona",    "mongo",     "mongodb",     "redis",         "valkey",
    "keydb",    "couchdb",    "rabbitmq",  "clickhouse",  "elasticsearch", "opensearch",
    "influxdb", "cassandra",  "zookeeper", "etcd"};

// Where databases store their files; for images whose names do not tell.
constexpr std::array<std::string_view, 5> data_folders{
    "/var/lib/postgresql", "/var/lib/mysql", "/data/db", "/var/lib/redis", "/bitnami/postgresql"};

bool is_database(const Json& service, const Mount& mount) {
  std::string name = json_string(service, "image");
  name = name.substr(0, name.find('@'));
  name = name.substr(name.rfind('/') + 1);
  name = name.substr(0, name.find(':'));
  const bool by_name = std::find(databases.begin(), databases.end(), name) != databases.end();
  return by_name || std::any_of(data_folders.begin(), data_folders.end(), [&](auto directory) {
           return mount.target.starts_with(directory);
         });
}

std::string obstacle_in_mounts(const Json& service) {
  for (const Mount& mount : mounts_of(service)) {
    if (mount.type == "volume" && mount.source.empty()) {
      return fmt::format("its anonymous volume at {} stays with one container", mount.target);
    }
    const bool keeps = mount.type == "volume" || mount.type == "bind";
    if (keeps && !mount.read_only && is_database(service, mount)) {
      return fmt::format("the data at {} can be used by one server at a time", mount.target);
    }
  }
  return {};
}

// Returns the mount point of an anonymous volume that the image declares but the Compose file does
// not mention; "": none. Compose keeps such a volume when it replaces the container, but cannot
// share it.
std::string volume_of_image(const Json& service, const std::vector<const Container*>& containers) {
  const std::vector<Mount> mounts = mounts_of(service);
  for (const Container* container : containers) {
    for (const auto& [target, volume] : container->volumes) {
      const bool is_said = std::any_of(mounts.begin(), mounts.end(),
                                       [&](const Mount& mount) { return mount.target == target; });
      if (is_anonymous_volume(volume) && !is_said) return target;
    }
  }
  return {};
}

bool has_fixed_address(const Json& service) {
  for (const auto& network : json_object(service, "networks").items()) {
    if (!network.value().is_object()) continue;
    for (const char* key : {"ipv4_address", "ipv6_address", "mac_address"}) {
      if (!json_string(network.value(), key).empty()) return true;
    }
  }
  return false;
}

}  // namespace

bool asks_for_start_first(const Json& service) {
  const Json& update = json_object(json_object(service, "deploy"), "update_config");
  return json_string(update, "order") == "start-first";
}

std::string obstacle_to_rolling(const Rendering& rendering, const std::string& service,
                                const std::vector<const Container*>& containers) {
  const Json& definition = rendering.service(service);
  if (!json_string(definition, "container_name").empty()) {
    return "container_name allows only one container";
  }
  if (const auto ports = published_ports_of(definition); !ports.empty()) {
    return fmt::format("only one container can use the host port {}", ports[0].host_port);
  }
  const std::string mode = json_string(definition, "network_mode");
  if (!mode.empty() && mode != "bridge" && mode != "default" && mode != "none") {
    return fmt::format("network_mode: {} makes both use the same ports", mode);
  }
  if (has_fixed_address(definition)) return "its network address is fixed";
  if (const std::string obstacle = obstacle_in_mounts(definition); !obstacle.empty()) {
    return obstacle;
  }
  if (const std::string target = volume_of_image(definition, containers); !target.empty()) {
    return fmt::format("its image's volume at {} stays with one container", target);
  }
  for (const std::string& other : rendering.service_names()) {
    for (const Tie& tie : ties_of(rendering, other)) {
      if (tie.service == service && !tie.words.empty()) return other + " " + tie.words;
    }
    const auto jobs = jobs_awaited_by(rendering.service(other));
    if (std::find(jobs.begin(), jobs.end(), service) != jobs.end()) {
      return other + " waits for its exit";
    }
  }
  if (replicas_of(definition) < 1) return "it has no containers";
  return {};
}

Risk risk_of_replacing(const Json& service, const std::vector<const Container*>& containers) {
  const std::vector<Mount> mounts = mounts_of(service);
  const bool keeps_data = std::any_of(mounts.begin(), mounts.end(),
                                      [](const Mount& mount) { return mount.type == "volume"; }) ||
                          !volume_of_image(service, containers).empty();
  return keeps_data ? Risk::data : Risk::restart;
}

std::vector<std::string> keep_within_memory(Plan& plan, const Rendering& rendering,
                                            const Observed& observed,
                                            const std::map<std::string, std::uint64_t>& used,
                                            std::uint64_t available) {
  std::vector<std::string> lines;
  for (Step& step : plan.steps) {
    if (step.action != Action::roll) continue;
    const Json& service = rendering.service(step.service);
    std::uint64_t needed = memory_reserved_by(service);
    if (const auto known = used.find(step.service); known != used.end()) {
      needed = std::max(needed, known->second);
    }
    needed *= static_cast<std::uint64_t>(parallelism_of(service));
    if (needed <= available) continue;
    const std::string why =
        fmt::format("stop-first, because {} of memory are needed and {} are free",
                    human_size(needed), human_size(available));
    step.action = Action::recreate;
    step.risk = risk_of_replacing(service, containers_of(observed, step.service));
    step.reasons.push_back(why);
    lines.push_back(fmt::format("{} is replaced {}", step.service, why));
  }
  return lines;
}

}  // namespace trimtab
