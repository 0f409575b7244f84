#include "agent/reconcile/ending.hpp"

#include "common/text.hpp"

namespace trimtab {

bool is_tried_again(AttemptEnd end, AttemptKind kind, const std::optional<Failure>& failure) {
  const bool by_host = failure && failure->cls == FailureClass::world;
  switch (end) {
    case AttemptEnd::postponed:
      // What an operator asked for is not done later, when nobody expects it any more.
      return kind != AttemptKind::operator_rollback;
    case AttemptEnd::suspended:
      return true;
    case AttemptEnd::rolled_back:
    case AttemptEnd::failed:
      return by_host;
    case AttemptEnd::committed:
    case AttemptEnd::rejected:
    case AttemptEnd::superseded:
      return false;
  }
  return false;
}

Ending ending_of(AttemptEnd end, AttemptKind kind, const ReleaseRecord& release,
                 const Record& record, std::chrono::milliseconds next_try) {
  const std::string who = release_text(release.number) + " (" + short_commit(release.commit) + ")";
  const std::string why = release.failure ? release.failure->reason : std::string();
  switch (end) {
    case AttemptEnd::committed:
      return {"done", who + " is deployed", Situation{StackState::synced, "", ""},
              Milestone::deployed};
    case AttemptEnd::rejected:
      return {"rejected", who + " is rejected, nothing was touched: " + why,
              situation_of_failed(record, release, Outcome::rejected), Milestone::rejected};
    case AttemptEnd::postponed: {
      if (!is_tried_again(end, kind, release.failure)) {
        return {"failed", who + " cannot be gone back to now, nothing was touched: " + why,
                std::nullopt, Milestone::waiting};
      }
      const std::string reason = who + " cannot be deployed now: " + why;
      const std::string next = "nothing was touched; it is tried again";
      return {"failed", reason + "; nothing was touched, it is tried again",
              Situation{StackState::waiting, reason, next}, Milestone::waiting};
    }
    case AttemptEnd::superseded:
      return {"superseded", who + " gave way to a newer commit", std::nullopt,
              Milestone::superseded};
    case AttemptEnd::rolled_back: {
      const std::string back =
          record.current == nullptr ? std::string() : release_text(record.current->number);
      return {"rolled_back", "rolled back to " + back + ": " + why,
              situation_of_failed(record, release, Outcome::rolled_back), Milestone::rolled_back};
    }
    case AttemptEnd::suspended: {
      const std::string reason = who + " failed: " + why;
      return {"failed", reason,
              Situation{StackState::failed, reason,
                        "going back is tried again in " + human_duration(next_try)},
              Milestone::failed};
    }
    case AttemptEnd::failed: {
      const Situation situation = situation_of_failed(record, release, Outcome::failed);
      return {"failed", situation.reason, situation, Milestone::failed};
    }
  }
  return {};
}

}  // namespace trimtab
