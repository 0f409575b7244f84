#include "agent/plan/preflight/preflight.hpp"

#include <fmt/core.h>

namespace trimtab::preflight {
namespace {

constexpr auto soon = std::chrono::hours(14 * 24);

PreflightFinding finding(const ServerCertificateFile& file, const std::string& message,
                         const std::string& hint, PreflightFinding::Severity severity) {
  PreflightFinding found;
  found.name = "certificate";
  found.subject = file.service + " " + file.certificate;
  found.severity = severity;
  found.cause = FailureCause::host;
  found.message = message;
  found.hint = hint;
  return found;
}

}  // namespace

// nginx does not start without its certificates.
Findings certificates(const Input& input) {
  using Severity = PreflightFinding::Severity;
  Findings findings;
  for (const ServerCertificateFile& file : input.certificates) {
    const std::string who =
        fmt::format("the certificate {} of service {}", file.certificate, file.service);
    if (file.missing && !(input.self_signed_until_issued && file.may_be_made)) {
      const std::string or_else =
          file.may_be_made
              ? ", or write `certs: {self_signed_until_issued: true}` into the stack's file"
              : "; a self-signed one is only created in the stack's directory";
      findings.push_back(finding(file, who + " is missing",
                                 fmt::format("put it and {} there{}", file.key, or_else),
                                 Severity::error));
    } else if (!file.missing && !file.found) {
      findings.push_back(finding(file, fmt::format("{} cannot be used: {}", who, file.problem),
                                 "repair it", Severity::error));
    } else if (file.found && file.found->expires_at <= input.now) {
      findings.push_back(
          finding(file, fmt::format("{} expired at {}", who, format_time(file.found->expires_at)),
                  "renew it", Severity::warning));
    } else if (file.found && !file.found->self_signed &&
               file.found->expires_at <= input.now + soon) {
      findings.push_back(
          finding(file, fmt::format("{} expires at {}", who, format_time(file.found->expires_at)),
                  "find out why it was not renewed", Severity::warning));
    }
  }
  return findings;
}

}  // namespace trimtab::preflight
