#include "agent/plan/preflight/preflight.hpp"

#include <fmt/core.h>

namespace trimtab::preflight {

// trimtab builds no images on this host.
Findings only_build(const Input& input) {
  Findings findings;
  for (const std::string& service : input.built_images_missing) {
    PreflightFinding finding;
    finding.name = "only-build";
    finding.cause = FailureCause::host;
    finding.subject = service;
    finding.message =
        fmt::format("service {} has only `build:`, and its image is not on this host", service);
    finding.hint = "build and push the image elsewhere and name it with `image:`";
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace trimtab::preflight
