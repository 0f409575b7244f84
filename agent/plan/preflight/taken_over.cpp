#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "agent/model/service.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

constexpr const char* would_lose = ", which would be lost by taking it over";
constexpr const char* write_it = "add it to the compose file, or remove it manually first";

// docker-compose 1.29 records file names as they were passed to it.
std::string absolute(const std::string& path, const std::string& directory) {
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

bool is_up(const Container& container) {
  return container.state == ContainerState::running || container.state == ContainerState::paused ||
         container.state == ContainerState::restarting;
}

PreflightFinding lost(const Container& container, const Input& input, std::string name,
                      std::string what, std::string hint = write_it) {
  PreflightFinding finding;
  finding.name = std::move(name);
  finding.cause = FailureCause::host;
  finding.subject = what;
  finding.message = std::move(what);
  finding.hint = std::move(hint);
  for (const std::string& written : split(container.config_files, ',')) {
    if (written.empty()) continue;
    const std::string file = absolute(written, container.working_dir);
    const bool is_known = std::any_of(
        input.compose_files.begin(), input.compose_files.end(),
        [&](const std::string& known) { return file == absolute(known, input.directory); });
    if (is_known) continue;
    finding.hint = fmt::format(
        "{} was started with {} too: add it to `compose:` in the stack's file, or add its content "
        "to the compose file",
        container.name, file);
  }
  return finding;
}

PreflightFinding lost_service(const Container& container, const Input& input) {
  return lost(container, input, "service-lost",
              fmt::format("the service {} ({}) runs, and would not be in the release",
                          container.service, container.name),
              "add it to the compose file, enable its profile with `profiles:` in the "
              "stack's file, or remove it manually first");
}

const Mount* mount_at(const std::vector<Mount>& mounts, const std::string& target) {
  const auto found = std::find_if(mounts.begin(), mounts.end(),
                                  [&](const Mount& mount) { return mount.target == target; });
  return found == mounts.end() ? nullptr : &*found;
}

// Whether the volume stays mounted there.
bool keeps_volume(const Input& input, const Mount* mount, const std::string& volume) {
  if (is_anonymous_volume(volume)) {
    // Compose keeps an anonymous volume if the image or the Compose file still declares it.
    return mount == nullptr || (mount->type == "volume" && mount->source.empty());
  }
  return mount != nullptr && mount->type == "volume" && !mount->source.empty() &&
         volume_name(*input.next, input.project, mount->source) == volume;
}

void compare_mounts(const Input& input, const Container& container, Findings& findings) {
  const Json& service = input.next->service(container.service);
  // Compose takes mounts from other containers from those again.
  if (service.contains("volumes_from")) return;
  const std::vector<Mount> mounts = mounts_of(service);
  for (const auto& [target, volume] : container.volumes) {
    const Mount* const mount = mount_at(mounts, target);
    if (keeps_volume(input, mount, volume)) continue;
    const bool is_other = mount != nullptr && !mount->source.empty();
    findings.push_back(
        lost(container, input, "volume-lost",
             fmt::format("{} has the volume {} at {}{}{}", container.service, volume, target,
                         would_lose, is_other ? " for " + mount->source : "")));
  }
  const std::vector<std::string> files = config_files_of(input.next->model, service);
  for (const auto& [target, source] : container.bind_mounts) {
    const Mount* const mount = mount_at(mounts, target);
    const bool stays = mount != nullptr && mount->type == "bind" && mount->source == source;
    const bool is_config = std::find(files.begin(), files.end(), source) != files.end();
    // A file of the repository comes from the commit.
    if (stays || is_config || input.tracked_files.contains(source)) continue;
    findings.push_back(
        lost(container, input, "mount-lost",
             fmt::format("{} mounts {} at {}{}{}", container.service, source, target, would_lose,
                         mount == nullptr ? "" : " for " + mount->source)));
  }
}

void compare_ports(const Input& input, const Container& container, Findings& findings) {
  for (const PublishedPort& held : container.ports) {
    bool stays = held.is_chance;
    for (const std::string& service : input.next->service_names()) {
      for (const PublishedPort& wanted : published_ports_of(input.next->service(service))) {
        stays = stays || (wanted.host_port == held.host_port && wanted.protocol == held.protocol);
      }
    }
    PreflightFinding finding = lost(container, input, "port-lost",
                                    fmt::format("{} publishes the port {}/{}{}", container.service,
                                                held.host_port, held.protocol, would_lose));
    // Report a port published for both IPv4 and IPv6 only once.
    const bool is_said = std::find(findings.begin(), findings.end(), finding) != findings.end();
    if (!stays && !is_said) findings.push_back(std::move(finding));
  }
}

}  // namespace

// Manually started containers are replaced by what the commit defines. Anything that they have
// beyond that, from an override file for example, would silently be lost.
Findings taken_over(const Input& input) {
  if (!input.is_first) return {};
  Findings findings;
  for (const Container& container : input.running) {
    if (input.next->service(container.service).empty()) {
      // Containers left behind by an old version of the Compose file stay as they are.
      if (is_up(container)) findings.push_back(lost_service(container, input));
      continue;
    }
    compare_mounts(input, container, findings);
    compare_ports(input, container, findings);
  }
  return findings;
}

}  // namespace trimtab::preflight
