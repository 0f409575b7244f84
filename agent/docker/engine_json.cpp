#include "agent/docker/engine_json.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "common/number.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

constexpr ApiVersion lowest{1, 41};   // Docker 20.10
constexpr ApiVersion highest{1, 55};  // Docker 29.7
constexpr std::size_t max_health_output = 1000;

int small_int(const Json& object, std::string_view key) {
  return static_cast<int>(json_int(object, key));
}

std::uint64_t size_of(const Json& object, std::string_view key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, json_int(object, key)));
}

// Maps the Engine's "never", which is the year 1, to the epoch.
WallTime moment(const Json& object, std::string_view key) {
  const auto time = parse_time(json_string(object, key));
  return time && *time > WallTime{} ? *time : WallTime{};
}

std::vector<std::string> strings(const Json& array) {
  std::vector<std::string> result;
  for (const auto& entry : array) {
    if (entry.is_string()) result.push_back(entry.get<std::string>());
  }
  return result;
}

std::string without_slash(std::string name) {
  if (name.starts_with('/')) name.erase(0, 1);
  return name;
}

void take_labels(const Json& labels, Container& container) {
  container.project = json_string(labels, "com.docker.compose.project");
  container.service = json_string(labels, "com.docker.compose.service");
  container.working_dir = json_string(labels, "com.docker.compose.project.working_dir");
  container.config_files = json_string(labels, "com.docker.compose.project.config_files");
  container.compose_version = json_string(labels, "com.docker.compose.version");
  container.config_hash = json_string(labels, "com.docker.compose.config-hash");
  container.number =
      parse_number<int>(json_string(labels, "com.docker.compose.container-number")).value_or(1);
  const std::string oneoff = json_string(labels, "com.docker.compose.oneoff");
  container.oneoff = oneoff == "True";
  container.is_marked = oneoff == "False";
  // docker-compose 1 finds a service's containers by that label. Compose 2 finds them by the config
  // hash and also accepts containers without the label.
  container.is_counted = container.is_marked || (oneoff.empty() && !container.config_hash.empty());
}

std::optional<HealthCheck> parse_health_check(const Json& config) {
  const Json& check = json_object(config, "Healthcheck");
  const std::vector<std::string> test = strings(json_array(check, "Test"));
  if (test.empty() || test.front() == "NONE") return std::nullopt;
  const auto duration = [&](const char* key) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::nanoseconds(std::max<std::int64_t>(0, json_int(check, key))));
  };
  return HealthCheck{duration("Interval"), duration("StartPeriod"), duration("StartInterval")};
}

void take_mounts(const Json& mounts, Container& container) {
  for (const auto& mount : mounts) {
    const std::string type = json_string(mount, "Type");
    const std::string destination = json_string(mount, "Destination");
    if (type == "bind") container.bind_mounts[destination] = json_string(mount, "Source");
    if (type == "volume") container.volumes[destination] = json_string(mount, "Name");
  }
}

// Whether the request left the choice of the host port, or of one within a range, to the Engine.
bool asks_for_any_port(const Json& bindings) {
  return std::any_of(bindings.begin(), bindings.end(), [](const Json& binding) {
    return parse_number<int>(json_string(binding, "HostPort")).value_or(0) == 0;
  });
}

void take_networks(const Json& networks, Container& container) {
  for (const auto& [name, network] : networks.items()) {
    NetworkAddress address;
    address.network = name;
    address.ipv4 = json_string(network, "IPAddress");
    address.aliases = strings(json_array(network, "Aliases"));
    container.networks.push_back(std::move(address));
  }
}

}  // namespace

std::string ApiVersion::text() const {
  return fmt::format("{}.{}", major, minor);
}

std::optional<ApiVersion> parse_api_version(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const ApiVersion version{parse_number<int>(text.substr(0, dot)).value_or(-1),
                           parse_number<int>(text.substr(dot + 1)).value_or(-1)};
  if (version.major < 0 || version.minor < 0) return std::nullopt;
  return version;
}

Result<ApiVersion> choose_api_version(const Json& version) {
  const std::string engine = printable(json_string(version, "Version", "of an unknown version"));
  const auto newest = parse_api_version(json_string(version, "ApiVersion"));
  if (!newest) {
    return Error{Errc::invalid, "this is not a Docker Engine: it reports no API version", {}};
  }
  if (*newest < lowest) {
    return Error{Errc::invalid,
                 fmt::format("Docker {} is too old: it supports API {}, trimtab needs {}", engine,
                             newest->text(), lowest.text()),
                 "install Docker 20.10 or newer"};
  }
  const auto oldest = parse_api_version(json_string(version, "MinAPIVersion"));
  if (oldest && *oldest > highest) {
    return Error{
        Errc::invalid,
        fmt::format("Docker {} is too new: it supports API {} and newer, trimtab only up to {}",
                    engine, oldest->text(), highest.text()),
        "install a newer trimtab"};
  }
  return std::min(*newest, highest);
}

namespace {

RegistryRoutes parse_registries(const Json& info) {
  RegistryRoutes routes;
  const Json& config = json_object(info, "RegistryConfig");
  for (const auto& item : json_object(config, "IndexConfigs").items()) {
    if (!json_bool(item.value(), "Secure", true)) routes.insecure.insert(item.key());
  }
  // The loopback is always among them: for it alone no registry's name has to be looked up.
  routes.insecure_networks = strings(json_array(config, "InsecureRegistryCIDRs"));
  std::erase_if(routes.insecure_networks, [](const std::string& network) {
    return network.starts_with("127.") || network == "::1/128";
  });
  routes.mirrors = strings(json_array(config, "Mirrors"));
  routes.http_proxy = json_string(info, "HttpProxy");
  routes.https_proxy = json_string(info, "HttpsProxy");
  routes.no_proxy = json_string(info, "NoProxy");
  return routes;
}

}  // namespace

EngineInfo parse_info(const Json& info) {
  EngineInfo result;
  result.version = json_string(info, "ServerVersion");
  result.os = json_string(info, "OSType");
  result.architecture = json_string(info, "Architecture");
  result.root_directory = json_string(info, "DockerRootDir");
  result.memory = size_of(info, "MemTotal");
  result.registries = parse_registries(info);
  return result;
}

Container parse_listed_container(const Json& entry) {
  Container container;
  container.id = json_string(entry, "Id");
  const auto names = strings(json_array(entry, "Names"));
  if (!names.empty()) container.name = without_slash(names.front());
  take_labels(json_object(entry, "Labels"), container);
  container.image = json_string(entry, "Image");
  container.image_id = json_string(entry, "ImageID");
  container.state =
      container_state_from(json_string(entry, "State")).value_or(ContainerState::dead);
  container.created_at = WallTime(std::chrono::seconds(json_int(entry, "Created")));
  for (const auto& port : json_array(entry, "Ports")) {
    const int host_port = small_int(port, "PublicPort");
    if (host_port == 0) continue;  // exposed but not published
    container.ports.push_back(
        {json_string(port, "IP"), host_port, json_string(port, "Type", "tcp")});
  }
  take_mounts(json_array(entry, "Mounts"), container);
  return container;
}

Container parse_container(const Json& inspected) {
  Container container;
  container.id = json_string(inspected, "Id");
  container.name = without_slash(json_string(inspected, "Name"));
  const Json& config = json_object(inspected, "Config");
  take_labels(json_object(config, "Labels"), container);
  container.image = json_string(config, "Image");
  container.image_id = json_string(inspected, "Image");
  const Json& state = json_object(inspected, "State");
  container.state =
      container_state_from(json_string(state, "Status")).value_or(ContainerState::dead);
  container.exit_code = small_int(state, "ExitCode");
  container.oom_killed = json_bool(state, "OOMKilled");
  container.error = printable(json_string(state, "Error"));
  container.started_at = moment(state, "StartedAt");
  container.finished_at = moment(state, "FinishedAt");
  const Json& health = json_object(state, "Health");
  container.health = health_from(json_string(health, "Status")).value_or(Health::none);
  container.health_check = parse_health_check(config);
  const Json& checks = json_array(health, "Log");
  if (!checks.empty()) {
    std::string output = json_string(checks.back(), "Output");
    if (output.size() > max_health_output) output.resize(max_health_output);
    output = printable(output);
    container.last_health_output = std::string(trim(output));
  }
  container.created_at = moment(inspected, "Created");
  container.restart_count = small_int(inspected, "RestartCount");
  const Json& host_config = json_object(inspected, "HostConfig");
  container.restart_policy = json_string(json_object(host_config, "RestartPolicy"), "Name", "no");
  if (container.restart_policy.empty()) container.restart_policy = "no";
  for (const char* key : {"NetworkMode", "IpcMode", "PidMode"}) {
    constexpr std::string_view other = "container:";
    const std::string mode = json_string(host_config, key);
    if (mode.starts_with(other)) container.shares_with.push_back(mode.substr(other.size()));
  }
  container.pid = small_int(state, "Pid");
  container.hosts_path = json_string(inspected, "HostsPath");
  const Json& network_settings = json_object(inspected, "NetworkSettings");
  take_networks(json_object(network_settings, "Networks"), container);
  const Json& ports = json_object(network_settings, "Ports");
  for (const auto& [inner, bindings] : ports.items()) {  // "80/tcp": [{HostIp, HostPort}] or null
    const auto slash = inner.find('/');
    const std::string protocol = slash == std::string::npos ? "tcp" : inner.substr(slash + 1);
    if (!bindings.is_array()) continue;
    const bool is_chance =
        asks_for_any_port(json_array(json_object(host_config, "PortBindings"), inner));
    for (const auto& binding : bindings) {
      const int host_port = parse_number<int>(json_string(binding, "HostPort")).value_or(0);
      if (host_port == 0) continue;
      container.ports.push_back({json_string(binding, "HostIp"), host_port, protocol, is_chance});
    }
  }
  take_mounts(json_array(inspected, "Mounts"), container);
  return container;
}

Image parse_image(const Json& inspected) {
  Image image;
  image.id = json_string(inspected, "Id");
  image.repo_digests = strings(json_array(inspected, "RepoDigests"));
  for (std::string& name : strings(json_array(inspected, "RepoTags"))) {
    // An Engine with images in containerd lists also the digest that one was pulled by.
    if (name.find('@') == std::string::npos) image.repo_tags.push_back(std::move(name));
  }
  image.layers = strings(json_array(json_object(inspected, "RootFS"), "Layers"));
  image.size = size_of(inspected, "Size");
  image.os = json_string(inspected, "Os");
  image.architecture = json_string(inspected, "Architecture");
  image.health_check = parse_health_check(json_object(inspected, "Config"));
  for (const std::string& variable : strings(json_array(json_object(inspected, "Config"), "Env"))) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos) continue;
    image.environment[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  return image;
}

std::vector<std::string> networks_joined_by(const Json& container) {
  std::vector<std::string> names;
  const Json& networks = json_object(json_object(container, "NetworkSettings"), "Networks");
  for (const auto& network : networks.items()) names.push_back(network.key());
  return names;
}

Json throwaway_container(const Json& like, const ThrowawayRequest& request) {
  const Json& config = json_object(like, "Config");
  const Json& host = json_object(like, "HostConfig");
  Json body = Json::object();
  body["Image"] = request.image;
  body["Entrypoint"] = Json::array({request.argv.front()});
  body["Cmd"] = std::vector<std::string>(request.argv.begin() + 1, request.argv.end());
  for (const char* key : {"Env", "User", "WorkingDir"}) {
    if (config.contains(key)) body[key] = config[key];
  }
  body["Healthcheck"] = Json{{"Test", Json::array({"NONE"})}};
  Json host_config = Json::object();
  for (const char* key : {"Tmpfs", "ReadonlyRootfs", "Memory", "CapAdd", "CapDrop", "GroupAdd",
                          "SecurityOpt", "UsernsMode", "Sysctls"}) {
    if (host.contains(key)) host_config[key] = host[key];
  }
  // Rebuilds the Binds and Mounts with which `like` was created as one list.
  Json mounts = Json::array();
  for (const Json& mount : json_array(like, "Mounts")) {
    const std::string type = json_string(mount, "Type");
    const std::string target = json_string(mount, "Destination");
    const bool known = type == "bind" || type == "volume" || type == "tmpfs";
    if (!known || request.files.contains(target)) continue;
    Json entry = Json::object();
    entry["Type"] = type;
    entry["Target"] = target;
    if (type != "tmpfs") {
      entry["Source"] = json_string(mount, type == "bind" ? "Source" : "Name");
      entry["ReadOnly"] = !json_bool(mount, "RW", true);
    }
    mounts.push_back(std::move(entry));
  }
  for (const auto& [target, source] : request.files) {
    mounts.push_back(
        Json{{"Type", "bind"}, {"Source", source}, {"Target", target}, {"ReadOnly", true}});
  }
  host_config["Mounts"] = std::move(mounts);
  Json hosts = json_array(host, "ExtraHosts");
  for (const std::string& name : request.hosts) hosts.push_back(name + ":127.0.0.1");
  host_config["ExtraHosts"] = std::move(hosts);
  const std::vector<std::string> networks = networks_joined_by(like);
  host_config["NetworkMode"] = networks.empty() ? "none" : networks.front();
  body["HostConfig"] = std::move(host_config);
  return body;
}

std::uint64_t memory_of_stats(const Json& stats) {
  const Json& memory = json_object(stats, "memory_stats");
  const Json& details = json_object(memory, "stats");
  const std::uint64_t usage = size_of(memory, "usage");
  const std::uint64_t cache = size_of(
      details, details.contains("total_inactive_file") ? "total_inactive_file" : "inactive_file");
  return usage > cache ? usage - cache : 0;
}

std::vector<std::string> parse_listed_tags(const Json& entry) {
  return strings(json_array(entry, "RepoTags"));
}

std::optional<EngineEvent> parse_event(const Json& event) {
  if (json_string(event, "Type") != "container") return std::nullopt;
  const Json& actor = json_object(event, "Actor");
  const Json& attributes = json_object(actor, "Attributes");
  EngineEvent result;
  result.time_nano = json_int(event, "timeNano");
  result.action = json_string(event, "Action");
  result.id = json_string(actor, "ID");
  result.name = json_string(attributes, "name");
  result.project = json_string(attributes, "com.docker.compose.project");
  result.service = json_string(attributes, "com.docker.compose.service");
  result.exit_code = parse_number<int>(json_string(attributes, "exitCode")).value_or(0);
  if (result.id.empty() || result.project.empty()) return std::nullopt;
  return result;
}

}  // namespace trimtab
