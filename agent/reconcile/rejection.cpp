#include "agent/reconcile/rejection.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/sources/backoff.hpp"
#include "common/hash.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

// Upper bound of the polling interval for a missing image, in multiples of images.interval.
constexpr int max_image_intervals = 4;

bool is_by_host(const std::vector<PreflightFinding>& findings) {
  return std::all_of(findings.begin(), findings.end(), [](const PreflightFinding& finding) {
    return finding.severity == PreflightFinding::Severity::warning ||
           finding.cause == FailureCause::host;
  });
}

std::string key_of(const std::vector<PreflightFinding>& findings) {
  std::string all;
  for (const PreflightFinding& finding : findings) {
    if (finding.severity == PreflightFinding::Severity::warning) continue;
    all += finding.name + '\n' + finding.subject + '\n';
  }
  return sha256_hex(all);
}

}  // namespace

Rejection rejection_of(const Release& release, const std::vector<PreflightFinding>& findings) {
  Rejection rejection;
  rejection.is_by_host = is_by_host(findings);
  rejection.key = release.inputs_key;
  if (rejection.is_by_host) rejection.key += "-here-" + key_of(findings);
  Failure& failure = rejection.failure;
  failure.cause = rejection.is_by_host ? FailureCause::host : FailureCause::release;
  failure.phase = "checking";
  failure.reason = findings.front().message;
  failure.hint = findings.front().hint;
  return rejection;
}

StackStatus status_of_rejection(const Release& release, const Rejection& rejection,
                                std::optional<std::chrono::milliseconds> again) {
  const std::string& hint = rejection.failure.hint;
  const std::string next = again ? "evaluated again in " + human_duration(*again)
                                 : "it is retried automatically once this is corrected";
  return StackStatus{
      StackState::failed,
      fmt::format("{} is rejected: {}", short_commit(release.commit), rejection.failure.reason),
      hint + (hint.empty() ? "" : "; ") + next};
}

ImageWaitStep next_image_wait(ImageWait before, const std::string& commit,
                              SteadyClock::time_point now, const ImageSettings& settings,
                              double jitter) {
  ImageWaitStep step{std::move(before), std::nullopt};
  if (step.wait.commit != commit) step.wait = ImageWait{commit, now, 0};
  const auto waited = now - step.wait.since;
  if (waited >= settings.wait) return step;
  step.again = std::min({next_interval(settings.interval, step.wait.questions++, jitter),
                         settings.interval * max_image_intervals,
                         std::chrono::ceil<std::chrono::milliseconds>(settings.wait - waited)});
  return step;
}

}  // namespace trimtab
