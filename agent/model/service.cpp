#include "agent/model/service.hpp"

#include <charconv>

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

bool is_path(std::string_view text) {
  return !text.empty() && (text[0] == '/' || text[0] == '.' || text[0] == '~');
}

// "source:target[:mode]" or "target", as Compose 1.29 renders.
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
  return mount;
}

Mount mount_of_object(const Json& entry) {
  Mount mount;
  mount.type = json_string(entry, "type", "volume");
  mount.source = json_string(entry, "source");
  mount.target = json_string(entry, "target");
  const Json& bind = json_object(entry, "bind");
  // Compose's long form means: do not create; the short form renders create_host_path: true.
  mount.creates_source = json_bool(bind, "create_host_path", false);
  return mount;
}

// "[ip:]host:container[/protocol]", ranges included.
void add_ports_of_text(std::string text, std::vector<PublishedPort>& ports) {
  PublishedPort port;
  if (const auto slash = text.find('/'); slash != std::string::npos) {
    port.protocol = text.substr(slash + 1);
    text.resize(slash);
  }
  const auto last = text.rfind(':');
  if (last == std::string::npos) return;  // the container's port alone: Docker picks the host's
  std::string host = text.substr(0, last);
  if (const auto colon = host.rfind(':'); colon != std::string::npos) {
    port.host_ip = host.substr(0, colon);
    host.erase(0, colon + 1);
  }
  const auto dash = host.find('-');
  const int first = to_int(host);
  const int end = dash == std::string::npos ? first : to_int(std::string_view(host).substr(dash + 1));
  for (port.host_port = first; port.host_port <= end && port.host_port > 0; ++port.host_port) {
    ports.push_back(port);
  }
}

}  // namespace

std::vector<Mount> mounts_of(const Json& service) {
  std::vector<Mount> mounts;
  for (const Json& entry : json_array(service, "volumes")) {
    if (entry.is_string()) mounts.push_back(mount_of_text(entry.get<std::string>()));
    if (entry.is_object()) mounts.push_back(mount_of_object(entry));
  }
  return mounts;
}

std::vector<PublishedPort> published_ports_of(const Json& service) {
  std::vector<PublishedPort> ports;
  for (const Json& entry : json_array(service, "ports")) {
    if (entry.is_string()) add_ports_of_text(entry.get<std::string>(), ports);
    if (!entry.is_object()) continue;
    const std::string published = json_string(entry, "published");
    if (published.find('-') != std::string::npos) {
      add_ports_of_text(published + ":0/" + json_string(entry, "protocol", "tcp"), ports);
      continue;
    }
    PublishedPort port;
    port.host_port = int_or_text(entry, "published");
    port.host_ip = json_string(entry, "host_ip");
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

std::map<std::string, std::string> environment_of(const Json& service) {
  std::map<std::string, std::string> variables;
  for (const auto& item : json_object(service, "environment").items()) {
    variables[item.key()] = item.value().is_string() ? item.value().get<std::string>()
                            : item.value().is_null() ? std::string()
                                                     : dump_json(item.value());
  }
  for (const Json& entry : json_array(service, "environment")) {
    if (!entry.is_string()) continue;
    const auto text = entry.get<std::string>();
    const auto equals = text.find('=');
    variables[text.substr(0, equals)] =
        equals == std::string::npos ? std::string() : text.substr(equals + 1);
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

std::chrono::milliseconds start_period_of(const Json& service) {
  return parse_duration(json_string(json_object(service, "healthcheck"), "start_period"))
      .value_or(std::chrono::milliseconds(0));
}

bool has_healthcheck(const Json& service) {
  const Json& healthcheck = json_object(service, "healthcheck");
  if (healthcheck.empty() || json_bool(healthcheck, "disable")) return false;
  const Json& test = json_array(healthcheck, "test");
  return test.empty() || test.front() != "NONE";
}

int replicas_of(const Json& service) {
  const Json& deploy = json_object(service, "deploy");
  if (deploy.contains("replicas")) return static_cast<int>(json_int(deploy, "replicas", 1));
  return static_cast<int>(json_int(service, "scale", 1));
}

}  // namespace trimtab
