#include "agent/execute/ending.hpp"

#include "agent/execute/release_record.hpp"
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
    case AttemptEnd::suspended:
      return Outcome::in_progress;
  }
  return Outcome::in_progress;
}

std::optional<WallTime> probation_until(const EndingInput& input) {
  const AttemptKind kind = input.attempt->kind;
  const bool can_go_back = input.fallback != nullptr && kind != AttemptKind::operator_rollback;
  if (input.end != AttemptEnd::committed || !can_go_back) return std::nullopt;
  // A commit that changes nothing of what runs does not end the probation of what does.
  if (kind == AttemptKind::record_only) return input.fallback->probation_until;
  if (input.probation.count() == 0) return std::nullopt;
  return input.now + input.probation;
}

bool is_rejected(const EndingInput& input) {
  const Attempt& attempt = *input.attempt;
  const bool failed = input.end == AttemptEnd::rejected || input.end == AttemptEnd::rolled_back ||
                      input.end == AttemptEnd::failed;
  const bool content = !attempt.failure || attempt.failure->cls == FailureClass::content;
  // Where the content is that of what it went back to, the repair failed, not the content.
  const bool is_new =
      input.fallback == nullptr || input.fallback->content_key != input.release->content_key;
  return failed && content && is_new && attempt.kind != AttemptKind::operator_rollback;
}

}  // namespace

Ending ending_of(const EndingInput& input) {
  const Attempt& attempt = *input.attempt;
  const bool committed = input.end == AttemptEnd::committed;
  const bool operator_rollback = attempt.kind == AttemptKind::operator_rollback;
  Ending ending;
  ending.release = *input.release;
  // An operator's rollback that did not work says nothing against the release it went to.
  if (committed || !operator_rollback) {
    ending.release.outcome = outcome_of(input.end);
    ending.release.failure = committed ? std::nullopt : attempt.failure;
    ending.release.probation_until = probation_until(input);
  } else if (attempt.failure) {
    add_notice(ending.release, "going back to it failed in phase " + attempt.failure->phase + ": " +
                                   attempt.failure->reason);
  }
  if (is_rejected(input)) ending.rejects.push_back(input.release->content_key);
  if (committed) ending.pardons = input.release->content_key;
  if (committed && operator_rollback && input.left != nullptr) {
    ending.left = *input.left;
    ending.left->outcome = Outcome::rolled_back;
    add_notice(*ending.left,
               "an operator went back from it to release " + std::to_string(input.release->number));
    // Of the same content, what it went back from is a repair.
    if (input.left->content_key != input.release->content_key) {
      ending.rejects.push_back(input.left->content_key);
    }
  }
  return ending;
}

Result<void> record_ending(Store& store, AttemptEnd end, const Attempt& attempt,
                           std::chrono::milliseconds probation) {
  EndingInput input;
  input.end = end;
  input.attempt = &attempt;
  input.release = store.find(attempt.release);
  input.fallback = store.find(attempt.fallback);
  input.left = store.find(attempt.checkout);
  input.probation = probation;
  input.now = wall_now();
  if (input.release == nullptr) return Error{Errc::not_found, "its release is gone", {}};
  const Ending ending = ending_of(input);
  Result<void> written = store.save(ending.release);
  if (written && !ending.pardons.empty()) written = store.pardon(ending.pardons);
  if (written && ending.left) written = store.save(*ending.left);
  for (const std::string& key : ending.rejects) {
    if (written) written = store.reject(key);
  }
  failpoint("finish:recorded");
  if (written) written = store.close_journal();
  return written;
}

}  // namespace trimtab
