// Decides how the end of a deployment is reported and whether it is retried. Pure.
#pragma once

#include <optional>
#include <string>

#include "agent/execute/phase_machine.hpp"
#include "agent/model/deployment.hpp"
#include "agent/notify/milestones.hpp"
#include "agent/reconcile/assessment.hpp"

namespace trimtab {

// Whether it is begun again, or gone on with, by itself after a while.
bool is_tried_again(DeploymentEnd end, DeploymentKind kind, const std::optional<Failure>& failure);

struct Ending {
  std::string outcome;  // of the operator's request
  std::string message;
  // On what Git and the registries ask for; unset: what was decided before still holds.
  std::optional<StackStatus> verdict;
  Milestone milestone = Milestone::deployed;
};
// `release`: as it ended, with its failure. `next_try`: how long until it is tried again.
Ending ending_of(DeploymentEnd end, DeploymentKind kind, const ReleaseRecord& release,
                 const Record& record, std::chrono::milliseconds next_try);

}  // namespace trimtab
