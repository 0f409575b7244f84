#include "agent/execute/end_record.hpp"

#include "common/failpoint.hpp"

namespace trimtab {
namespace {

Outcome outcome_of(AttemptEnd end) {
  switch (end) {
    case AttemptEnd::committed:
      return Outcome::good;
    case AttemptEnd::rejected:
      return Outcome::rejected;
    case AttemptEnd::superseded:
      return Outcome::superseded;
    case AttemptEnd::rolled_back:
      return Outcome::rolled_back;
    case AttemptEnd::failed:
      return Outcome::failed;
    case AttemptEnd::postponed:
      return Outcome::postponed;
    case AttemptEnd::suspended:
      return Outcome::in_progress;
  }
  return Outcome::in_progress;
}

std::optional<WallTime> probation_until(const EndRecordInput& input) {
  const AttemptKind kind = input.attempt->kind;
  const bool can_go_back = input.fallback != nullptr && kind != AttemptKind::operator_rollback;
  if (input.end != AttemptEnd::committed || !can_go_back) return std::nullopt;
  // A commit that changes nothing of what runs does not end the probation of what does.
  if (kind == AttemptKind::record_only) return input.fallback->probation_until;
  if (input.probation.count() == 0) return std::nullopt;
  return input.now + input.probation;
}

bool is_rejected(const EndRecordInput& input) {
  const Attempt& attempt = *input.attempt;
  const bool failed = input.end == AttemptEnd::rejected || input.end == AttemptEnd::rolled_back ||
                      input.end == AttemptEnd::failed;
  const bool content = !attempt.failure || attempt.failure->cls == FailureClass::content;
  // If what was gone back to has the same content, the repair failed, not the content.
  const bool is_new =
      input.fallback == nullptr || input.fallback->content_key != input.release->content_key;
  return failed && content && is_new && attempt.kind != AttemptKind::operator_rollback;
}

}  // namespace

EndRecord end_record_of(const EndRecordInput& input) {
  const Attempt& attempt = *input.attempt;
  const bool committed = input.end == AttemptEnd::committed;
  const bool operator_rollback = attempt.kind == AttemptKind::operator_rollback;
  EndRecord record;
  Attempt& ended = record.ended;
  ended = attempt;
  ended.outcome = outcome_of(input.end);
  ended.ended_at = input.now;
  ended.probation_until = probation_until(input);
  if (committed) ended.failure.reset();
  if (operator_rollback && !committed && attempt.failure) {
    add_notice(ended, "going back to it failed in phase " + attempt.failure->phase + ": " +
                          attempt.failure->reason);
  }
  // A release that was replaced during its probation begins it anew when it runs again.
  if (input.end == AttemptEnd::rolled_back && input.made_fallback != nullptr &&
      input.made_fallback->probation_until) {
    record.runs_again = *input.made_fallback;
    record.runs_again->probation_until = input.now + input.probation;
  }
  if (is_rejected(input)) record.rejects.push_back(input.release->content_key);
  if (committed) record.pardons = input.release->content_key;
  // Of the same content, what it went back from is a repair.
  if (committed && operator_rollback && input.left != nullptr &&
      input.left->content_key != input.release->content_key) {
    record.rejects.push_back(input.left->content_key);
  }
  return record;
}

Result<void> write_end(Store& store, AttemptEnd end, const Attempt& attempt,
                       std::chrono::milliseconds probation) {
  EndRecordInput input;
  input.end = end;
  input.attempt = &attempt;
  input.release = store.find(attempt.release);
  input.fallback = store.find(attempt.fallback);
  input.left = store.find(attempt.checkout);
  input.probation = probation;
  input.now = wall_now();
  if (input.release == nullptr) return Error{Errc::not_found, "its release is gone", {}};
  if (input.fallback != nullptr && input.fallback->made_good_by != 0) {
    input.made_fallback = &store.deployments().at(input.fallback->made_good_by);
  }
  const EndRecord record = end_record_of(input);
  Result<void> written;
  if (!record.pardons.empty()) written = store.pardon(record.pardons);
  if (written && record.runs_again) written = store.save(*record.runs_again);
  for (const std::string& key : record.rejects) {
    if (written) written = store.reject(key);
  }
  failpoint("finish:recorded");
  if (written) written = store.save(record.ended);
  return written;
}

}  // namespace trimtab
