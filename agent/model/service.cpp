#include "agent/model/service.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "common/text.hpp"

namespace trimtab {
namespace {

int to_int(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int int_or_text(const Json& object, std::string_view key) {
  const std::string text = json_string(object, key);
  return text.empty() ? static_cast<int>(json_int(object, key)) : to_int(text);
}

// Parses a duration in Go's format: "1m30.5s"; 0 if malformed.
std::chrono::milliseconds duration_of(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 7> units{
      {{"ms", 1}, {"us", 1e-3}, {"µs", 1e-3}, {"ns", 1e-6}, {"h", 3.6e6}, {"m", 6e4}, {"s", 1e3}}};
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [stop, ec] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (ec != std::errc()) return std::chrono::milliseconds(0);
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    const auto unit = std::find_if(units.begin(), units.end(), [&](const auto& candidate) {
      return text.starts_with(candidate.first);
    });
    if (unit == units.end()) return std::chrono::milliseconds(0);
    text.remove_prefix(unit->first.size());
    total += number * unit->second;
  }
  constexpr double longest = 1e3 * 3600 * 24 * 365;
  return std::chrono::milliseconds(std::llround(std::clamp(total, 0.0, longest)));
}

bool is_path(std::string_view text) {
  return !text.empty() && (text[0] == '/' || text[0] == '.' || text[0] == '~');
}

// Normalizes a path as the Engine does: "/srv/./data/" becomes "/srv/data".
std::string plain_path(const std::string& path) {
  std::string plain = std::filesystem::path(path).lexically_normal().string();
  if (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  return plain;
}

Mount with_plain_paths(Mount mount) {
  mount.target = plain_path(mount.target);
  if (mount.type == "bind") mount.source = plain_path(mount.source);
  return mount;
}

// Parses "source:target[:mode]" or "target", as rendered by Compose 1.29.
Mount mount_of_text(const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  Mount mount;
  if (parts.size() == 1) {
    mount.type = "volume";
    mount.target = parts[0];
    return mount;
  }
  mount.source = parts[0];
  mount.target = parts[1];
  mount.type = is_path(mount.source) ? "bind" : "volume";
  if (parts.size() > 2) {
    const std::vector<std::string> modes = split(parts[2], ',');
    mount.read_only = std::find(modes.begin(), modes.end(), "ro") != modes.end();
  }
  return mount;
}

Mount mount_of_object(const Json& entry) {
  Mount mount;
  mount.type = json_string(entry, "type", "volume");
  mount.source = json_string(entry, "source");
  mount.target = json_string(entry, "target");
  mount.read_only = json_bool(entry, "read_only");
  return mount;
}

// Removes the brackets of an IPv6 address, which the Engine does not print.
std::string bare_address(std::string address) {
  if (address.size() < 2 || address.front() != '[' || address.back() != ']') return address;
  return address.substr(1, address.size() - 2);
}

// Parses "[ip:]host:container[/protocol]", including ranges.
void add_ports_of_text(std::string text, std::vector<PublishedPort>& ports) {
  PublishedPort port;
  if (const auto slash = text.find('/'); slash != std::string::npos) {
    port.protocol = text.substr(slash + 1);
    text.resize(slash);
  }
  const auto last = text.rfind(':');
  if (last == std::string::npos) return;  // only the container's port: Docker picks the host's
  std::string host = text.substr(0, last);
  if (const auto colon = host.rfind(':'); colon != std::string::npos) {
    port.host_ip = bare_address(host.substr(0, colon));
    host.erase(0, colon + 1);
  }
  const auto dash = host.find('-');
  if (dash != std::string::npos && text.find('-', last) == std::string::npos) return;
  const int first = to_int(host);
  const int end =
      dash == std::string::npos ? first : to_int(std::string_view(host).substr(dash + 1));
  for (port.host_port = first; port.host_port <= end && port.host_port > 0; ++port.host_port) {
    ports.push_back(port);
  }
}

}  // namespace

std::vector<Mount> mounts_of(const Json& service) {
  std::vector<Mount> mounts;
  for (const Json& entry : json_array(service, "volumes")) {
    if (entry.is_string()) {
      mounts.push_back(with_plain_paths(mount_of_text(entry.get<std::string>())));
    }
    if (entry.is_object()) mounts.push_back(with_plain_paths(mount_of_object(entry)));
  }
  return mounts;
}

std::vector<PublishedPort> published_ports_of(const Json& service) {
  std::vector<PublishedPort> ports;
  for (const Json& entry : json_array(service, "ports")) {
    if (entry.is_string()) add_ports_of_text(entry.get<std::string>(), ports);
    if (!entry.is_object()) continue;
    // An object has a single container port, so Docker picks one host port of a range.
    if (json_string(entry, "published").find('-') != std::string::npos) continue;
    PublishedPort port;
    port.host_port = int_or_text(entry, "published");
    port.host_ip = bare_address(json_string(entry, "host_ip"));
    port.protocol = json_string(entry, "protocol", "tcp");
    if (port.host_port > 0) ports.push_back(port);
  }
  return ports;
}

std::vector<std::string> config_files_of(const Json& project, const Json& service) {
  std::vector<std::string> files;
  for (const char* kind : {"configs", "secrets"}) {
    const Json& defined = json_object(project, kind);
    for (const Json& entry : json_array(service, kind)) {
      const std::string name =
          entry.is_string() ? entry.get<std::string>() : json_string(entry, "source");
      const std::string file = json_string(json_object(defined, name), "file");
      if (!file.empty()) files.push_back(file);
    }
  }
  return files;
}

std::map<std::string, std::optional<std::string>> environment_of(const Json& service) {
  std::map<std::string, std::optional<std::string>> variables;
  for (const auto& item : json_object(service, "environment").items()) {
    std::optional<std::string>& value = variables[item.key()];
    if (item.value().is_string()) value = item.value().get<std::string>();
    if (!item.value().is_string() && !item.value().is_null()) value = dump_json(item.value());
  }
  for (const Json& entry : json_array(service, "environment")) {
    if (!entry.is_string()) continue;
    const auto text = entry.get<std::string>();
    const auto equals = text.find('=');
    std::optional<std::string>& value = variables[text.substr(0, equals)];
    if (equals != std::string::npos) value = text.substr(equals + 1);
  }
  return variables;
}

std::vector<std::string> jobs_awaited_by(const Json& service) {
  std::vector<std::string> jobs;
  for (const auto& item : json_object(service, "depends_on").items()) {
    if (json_string(item.value(), "condition") == "service_completed_successfully") {
      jobs.push_back(item.key());
    }
  }
  return jobs;
}

std::vector<std::string> dependencies_of(const Json& service) {
  std::vector<std::string> names;
  for (const Json& name : json_array(service, "depends_on")) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  for (const auto& item : json_object(service, "depends_on").items()) names.push_back(item.key());
  // docker-compose 1.29.2 does not render implied dependencies.
  const auto imply = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  constexpr std::string_view of_service = "service:";
  for (const char* key : {"network_mode", "ipc", "pid"}) {
    const std::string mode = json_string(service, key);
    if (mode.starts_with(of_service)) imply(mode.substr(of_service.size()));
  }
  for (const Json& entry : json_array(service, "volumes_from")) {
    const std::string text = entry.is_string() ? entry.get<std::string>() : std::string();
    if (!text.empty() && !text.starts_with("container:")) imply(text.substr(0, text.find(':')));
  }
  return names;
}

std::vector<std::string> networks_of(const Json& service) {
  std::vector<std::string> names;
  for (const Json& name : json_array(service, "networks")) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  for (const auto& item : json_object(service, "networks").items()) names.push_back(item.key());
  // docker-compose 1.29.2 does not render the implied default network.
  if (names.empty() && !service.contains("network_mode")) names.emplace_back("default");
  return names;
}

std::optional<HealthCheck> health_check_of(const Json& service, const HealthCheck* image) {
  const Json& said = json_object(service, "healthcheck");
  const Json& words = json_array(said, "test");
  const bool none = !words.empty() && words.front() == "NONE";
  if (json_bool(said, "disable") || none) return std::nullopt;
  const bool has_test = !words.empty() || !json_string(said, "test").empty();
  if (!has_test && image == nullptr) return std::nullopt;
  HealthCheck check = image == nullptr ? HealthCheck() : *image;
  const auto take = [&](const char* key, std::chrono::milliseconds& value) {
    const auto written = duration_of(json_string(said, key));
    if (written.count() > 0) value = written;
  };
  take("interval", check.interval);
  take("start_period", check.start_period);
  take("start_interval", check.start_interval);
  return check;
}

int replicas_of(const Json& service) {
  const Json& deploy = json_object(service, "deploy");
  if (deploy.contains("replicas")) return static_cast<int>(json_int(deploy, "replicas", 1));
  return static_cast<int>(json_int(service, "scale", 1));
}

int parallelism_of(const Json& service) {
  const Json& update = json_object(json_object(service, "deploy"), "update_config");
  const auto at_a_time = static_cast<int>(json_int(update, "parallelism", 1));
  return at_a_time > 0 ? at_a_time : std::max(replicas_of(service), 1);
}

std::uint64_t memory_reserved_by(const Json& service) {
  const Json& resources = json_object(json_object(service, "deploy"), "resources");
  const std::string words[] = {json_string(service, "mem_reservation"),
                               json_string(json_object(resources, "reservations"), "memory")};
  std::uint64_t most = 0;
  for (const std::string& word : words) most = std::max(most, parse_size(word).value_or(0));
  return most;
}

}  // namespace trimtab
