#include <fmt/core.h>

#include "agent/model/health_check.hpp"
#include "agent/model/service.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {

// The gate waits until the health is known; this tells the user in advance.
Findings health_known_late(const Input& input) {
  Findings findings;
  for (const std::string& service : input.next->service_names()) {
    const auto image = input.image_health_checks.find(service);
    const auto check =
        health_check_of(input.next->service(service),
                        image == input.image_health_checks.end() ? nullptr : &image->second);
    if (!check) continue;
    const auto known = health_known_after(*check);
    if (known <= input.gate_timeout) continue;
    PreflightFinding finding;
    finding.name = "health-known-late";
    finding.message = fmt::format("the health of {} is known {} after its start at the earliest",
                                  service, format_duration(known));
    finding.hint = "give its health check a shorter `interval`";
    if (known > max_health_wait) {
      finding.message += ", which is longer than any gate waits";
    } else {
      finding.severity = PreflightFinding::Severity::warning;
      finding.message += ": its gate waits until then, plus gate.timeout";
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
