// Decides what becomes of a candidate and how that is reported. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/model/deployment.hpp"
#include "agent/model/release_record.hpp"
#include "agent/reconcile/stack_status.hpp"

namespace trimtab {

enum class Assessment {
  nothing,   // it is what runs
  rejected,  // its content was rejected
  vain,      // the host has made it fail too often
  record,    // another commit with the content that runs: nothing restarts
  deploy,
};

// The contents that are not tried without being asked for: the rejected ones, and that of a
// deployment which failed by its own fault and waits to go back. Its rejection is written with its
// end.
std::set<std::string> contents_not_tried(std::set<std::string> rejected,
                                         const std::optional<Deployment>& in_flight,
                                         const Releases& releases);

// Pointers outlive the call.
struct AssessmentInput {
  const Release* candidate = nullptr;
  bool is_asked = false;                            // an operator asks
  bool is_plan_empty = false;                       // nothing of what runs would change
  const ReleaseRecord* current = nullptr;           // null before the first
  const std::set<std::string>* rejected = nullptr;  // as contents_not_tried() says
  const Releases* releases = nullptr;
  WallTime tries_count_since;  // what failed before is not counted
};
Assessment assess_candidate(const AssessmentInput& input);
// The kind of the deployment of a candidate that is assessed as record or deploy.
DeploymentKind kind_of_deployment(Assessment assessment, const Release& candidate,
                                  const ReleaseRecord* current);

// The facts that a stack status is made from. Pointers outlive the call.
struct Record {
  std::string stack;
  const Releases* releases = nullptr;
  const std::set<std::string>* rejected = nullptr;
  const ReleaseRecord* current = nullptr;  // null before the first
};
// Why content that was rejected is not tried, told by the release that it was rejected with.
StackStatus status_of_rejected(const Record& record, const Release& candidate);
// Why content that the host alone has made fail, again and again, is left until something changes.
StackStatus status_of_vain(const Record& record, const Release& candidate);
StackStatus status_of_failed(const Record& record, const ReleaseRecord& release, Outcome outcome);

// Why a draft is deployed, for people. `current`: null before the first.
std::string describe_cause(const Release& candidate, const Release* current);

}  // namespace trimtab
