#include <fmt/core.h>

#include "agent/model/service.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

bool overlaps(const PublishedPort& a, const PublishedPort& b) {
  const auto is_any = [](const std::string& ip) {
    return ip.empty() || ip == "0.0.0.0" || ip == "::" || ip == "[::]";
  };
  return a.host_port == b.host_port && a.protocol == b.protocol &&
         (is_any(a.host_ip) || is_any(b.host_ip) || a.host_ip == b.host_ip);
}

std::string holder_of(const PublishedPort& port, const Input& input) {
  for (const Container& container : input.all_containers) {
    if (container.project == input.project) continue;
    for (const PublishedPort& held : container.ports) {
      if (!overlaps(port, held)) continue;
      return fmt::format("container {}{}", container.name,
                         container.project.empty() ? "" : " of the project " + container.project);
    }
  }
  // Docker's proxy processes for the project's own containers hold their ports.
  for (const Container& container : input.all_containers) {
    for (const PublishedPort& held : container.ports) {
      if (container.project == input.project && overlaps(port, held)) return {};
    }
  }
  for (const PortHolder& holder : input.port_holders) {
    if (overlaps(port, holder.port)) return holder.who;
  }
  return {};
}

}  // namespace

Findings host_port_taken(const Input& input) {
  Findings findings;
  for (const std::string& service : input.next->service_names()) {
    for (const PublishedPort& port : published_ports_of(input.next->service(service))) {
      const std::string holder = holder_of(port, input);
      if (holder.empty()) continue;
      PreflightFinding finding;
      finding.name = "host-port-taken";
      finding.cause = FailureCause::host;
      finding.subject = fmt::format("{} {}/{}", service, port.protocol, port.host_port);
      finding.message = fmt::format("service {} publishes port {}/{}, which is held by {}", service,
                                    port.host_port, port.protocol, holder);
      finding.hint = "stop that, or publish another port";
      findings.push_back(std::move(finding));
    }
  }
  return findings;
}

}  // namespace trimtab::preflight
