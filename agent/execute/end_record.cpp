#include "agent/execute/end_record.hpp"

#include <fmt/core.h>

#include "common/failpoint.hpp"

namespace trimtab {
namespace {

Outcome outcome_of(DeploymentEnd end) {
  switch (end) {
    case DeploymentEnd::committed:
      return Outcome::good;
    case DeploymentEnd::rejected:
      return Outcome::rejected;
    case DeploymentEnd::superseded:
      return Outcome::superseded;
    case DeploymentEnd::rolled_back:
      return Outcome::rolled_back;
    case DeploymentEnd::failed:
      return Outcome::failed;
    case DeploymentEnd::postponed:
      return Outcome::postponed;
    case DeploymentEnd::suspended:
      return Outcome::in_progress;
  }
  return Outcome::in_progress;
}

std::optional<WallTime> probation_until(const EndRecordInput& input) {
  const DeploymentKind kind = input.deployment->kind;
  const bool can_go_back = input.fallback != nullptr && kind != DeploymentKind::operator_rollback;
  if (input.end != DeploymentEnd::committed || !can_go_back) return std::nullopt;
  // A commit that changes nothing of what is running does not end its probation.
  if (kind == DeploymentKind::record_only) return input.fallback->probation_until;
  if (input.probation.count() == 0) return std::nullopt;
  return input.now + input.probation;
}

bool is_rejected(const EndRecordInput& input) {
  const bool failed = input.end == DeploymentEnd::rejected ||
                      input.end == DeploymentEnd::rolled_back || input.end == DeploymentEnd::failed;
  // If its failure could not be recorded, nothing is known against the content.
  const bool is_told = input.end == DeploymentEnd::rejected || input.deployment->failure;
  return failed && is_told &&
         is_content_at_fault(*input.deployment, *input.release, input.fallback);
}

}  // namespace

bool is_content_at_fault(const Deployment& deployment, const Release& release,
                         const Release* fallback) {
  const bool is_by_release =
      !deployment.failure || deployment.failure->cause == FailureCause::release;
  // If the release that is restored has the same content, then the repair failed, not the content.
  const bool is_new = fallback == nullptr || fallback->content_key != release.content_key;
  return is_by_release && is_new && deployment.kind != DeploymentKind::operator_rollback;
}

EndRecord end_record_of(const EndRecordInput& input) {
  const Deployment& deployment = *input.deployment;
  const bool committed = input.end == DeploymentEnd::committed;
  const bool operator_rollback = deployment.kind == DeploymentKind::operator_rollback;
  EndRecord record;
  Deployment& ended = record.ended;
  ended = deployment;
  ended.outcome = outcome_of(input.end);
  ended.ended_at = input.now;
  ended.probation_until = probation_until(input);
  if (committed) ended.failure.reset();
  if (operator_rollback && !committed && deployment.failure) {
    add_notice(ended, fmt::format("rolling back to it failed in phase {}: {}",
                                  deployment.failure->phase, deployment.failure->reason));
  }
  // A release that was replaced during its probation starts it again when it is running again.
  if (input.end == DeploymentEnd::rolled_back && input.made_fallback != nullptr &&
      input.made_fallback->probation_until) {
    record.runs_again = *input.made_fallback;
    record.runs_again->probation_until = input.now + input.probation;
  }
  if (is_rejected(input)) record.rejects.push_back(input.release->content_key);
  if (committed) record.accepted_content = input.release->content_key;
  // If both releases have the same content, the one that the operator left was a repair.
  if (committed && operator_rollback && input.left != nullptr &&
      input.left->content_key != input.release->content_key) {
    record.rejects.push_back(input.left->content_key);
  }
  return record;
}

Task<Result<void>> write_end(Store& store, DeploymentEnd end, Deployment deployment,
                             std::chrono::milliseconds probation) {
  EndRecordInput input;
  input.end = end;
  input.deployment = &deployment;
  input.release = store.find(deployment.release);
  input.fallback = store.find(deployment.fallback);
  input.left = store.find(deployment.checkout);
  input.probation = probation;
  input.now = wall_now();
  if (input.release == nullptr)
    co_return Error{Errc::not_found, "its release no longer exists", {}};
  if (input.fallback != nullptr && input.fallback->made_good_by != 0) {
    input.made_fallback = &store.deployments().at(input.fallback->made_good_by);
  }
  const EndRecord record = end_record_of(input);
  Result<void> written;
  if (!record.accepted_content.empty())
    written = co_await store.clear_rejection(record.accepted_content);
  if (written && record.runs_again) written = co_await store.save(*record.runs_again);
  for (const std::string& key : record.rejects) {
    if (written) written = co_await store.reject(key);
  }
  failpoint("finish:recorded");
  if (written) written = co_await store.save(record.ended);
  co_return written;
}

}  // namespace trimtab
