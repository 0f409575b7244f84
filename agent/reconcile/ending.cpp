#include "agent/reconcile/ending.hpp"

#include <fmt/core.h>

#include "common/text.hpp"

namespace trimtab {

bool is_tried_again(DeploymentEnd end, DeploymentKind kind, const std::optional<Failure>& failure) {
  const bool by_host = failure && failure->cause == FailureCause::host;
  switch (end) {
    case DeploymentEnd::postponed:
      // An operator's request is not retried later, when nobody expects it any more.
      return kind != DeploymentKind::operator_rollback;
    case DeploymentEnd::suspended:
      return true;
    case DeploymentEnd::rolled_back:
    case DeploymentEnd::failed:
      return by_host;
    case DeploymentEnd::committed:
    case DeploymentEnd::rejected:
    case DeploymentEnd::superseded:
      return false;
  }
  return false;
}

Ending ending_of(DeploymentEnd end, DeploymentKind kind, const ReleaseRecord& release,
                 const Record& record, std::chrono::milliseconds next_try) {
  const std::string who = release_text(release.number) + " (" + short_commit(release.commit) + ")";
  const std::string why = release.failure ? release.failure->reason : std::string();
  switch (end) {
    case DeploymentEnd::committed:
      return {"done", who + " is deployed", StackStatus{StackState::synced, "", ""},
              Milestone::deployed};
    case DeploymentEnd::rejected:
      return {"rejected", fmt::format("{} is rejected, nothing was touched: {}", who, why),
              status_of_failed(record, release, Outcome::rejected), Milestone::rejected};
    case DeploymentEnd::postponed: {
      if (!is_tried_again(end, kind, release.failure)) {
        return {"failed",
                fmt::format("{} cannot be rolled back to now, nothing was touched: {}", who, why),
                std::nullopt, Milestone::waiting};
      }
      const std::string reason = fmt::format("{} cannot be deployed now: {}", who, why);
      const std::string next = "nothing was touched; it is retried";
      return {"failed", reason + "; nothing was touched, it is retried",
              StackStatus{StackState::waiting, reason, next}, Milestone::waiting};
    }
    case DeploymentEnd::superseded:
      return {"superseded", who + " was superseded by a newer commit", std::nullopt,
              Milestone::superseded};
    case DeploymentEnd::rolled_back: {
      const std::string back =
          record.current == nullptr ? std::string() : release_text(record.current->number);
      return {"rolled_back", fmt::format("rolled back to {}: {}", back, why),
              status_of_failed(record, release, Outcome::rolled_back), Milestone::rolled_back};
    }
    case DeploymentEnd::suspended: {
      const std::string reason = fmt::format("{} failed: {}", who, why);
      return {"failed", reason,
              StackStatus{StackState::failed, reason,
                          "rolling back is retried in " + human_duration(next_try)},
              Milestone::failed};
    }
    case DeploymentEnd::failed: {
      const StackStatus stack_status = status_of_failed(record, release, Outcome::failed);
      return {"failed", stack_status.reason, stack_status, Milestone::failed};
    }
  }
  return {};
}

}  // namespace trimtab
