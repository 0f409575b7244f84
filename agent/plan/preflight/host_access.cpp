#include <fmt/core.h>

#include "agent/model/service.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

void add(Findings& findings, PreflightFinding::Severity severity, std::string name,
         std::string message, std::string hint) {
  PreflightFinding finding;
  finding.name = std::move(name);
  finding.severity = severity;
  finding.message = std::move(message);
  finding.hint = std::move(hint);
  findings.push_back(std::move(finding));
}

}  // namespace

// Anybody who can push to the branch can ask for these, so they are reported, and programs are
// refused.
Findings host_access(const Input& input) {
  using Severity = PreflightFinding::Severity;
  Findings findings;
  for (const std::string& name : input.next->service_names()) {
    const Json& service = input.next->service(name);
    const std::string who = "service " + name;
    if (service.contains("provider")) {
      add(findings, Severity::error, "provider",
          who + " has a `provider:`, which is a program to run on this host",
          "remove it from the compose file");
    }
    if (json_bool(service, "privileged")) {
      add(findings, Severity::warning, "privileged", who + " is privileged", "is that needed?");
    }
    for (const char* space : {"pid", "ipc", "network_mode", "userns_mode"}) {
      if (json_string(service, space) == "host") {
        add(findings, Severity::warning, "host-namespace",
            fmt::format("{} has {}: host", who, space), "is that needed?");
      }
    }
    for (const Mount& mount : mounts_of(service)) {
      if (mount.type != "bind") continue;
      const bool socket =
          mount.source == "/var/run/docker.sock" || mount.source == "/run/docker.sock";
      if (socket || mount.source == "/") {
        add(findings, Severity::warning, socket ? "docker-socket" : "host-root",
            fmt::format("{} mounts {}, which makes it root on this host", who, mount.source),
            "is that needed?");
      }
    }
  }
  return findings;
}

}  // namespace trimtab::preflight
