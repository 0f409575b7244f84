#include <fmt/core.h>

#include "agent/model/service.hpp"
#include "agent/plan/preflight/preflight.hpp"

namespace trimtab::preflight {
namespace {

// Returns the volume or directory with the data; "" if the release uses a different one than the
// running container.
std::string data_in_common(const Input& input, const std::string& service) {
  std::set<std::string> before;
  if (input.current != nullptr) {
    for (const Mount& mount : mounts_of(input.current->service(service))) {
      before.insert(mount.source);
    }
  }
  for (const Mount& mount : mounts_of(input.next->service(service))) {
    if (mount.source.empty() || !mount.target.starts_with("/var/lib/postgresql")) continue;
    if (before.empty() || before.contains(mount.source)) return mount.source;
  }
  return {};
}

}  // namespace

// PostgreSQL does not start on the data of another major version.
Findings postgres_major(const Input& input) {
  Findings findings;
  for (const auto& [service, majors] : input.postgres) {
    if (majors.runs == majors.wanted) continue;
    const std::string data = data_in_common(input, service);
    if (data.empty()) continue;
    PreflightFinding finding;
    finding.name = "postgres-major";
    finding.message =
        fmt::format("{} would run PostgreSQL {} on the data of {} in {}, where it does not start",
                    service, majors.wanted, majors.runs, data);
    finding.hint = fmt::format(
        "stay with {}; or dump the data, give the new version a volume of another name, and "
        "restore the dump into it",
        majors.runs);
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
