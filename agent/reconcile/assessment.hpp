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
  nothing,   // it is already running
  rejected,  // its content was rejected
  vain,      // the host has made it fail too often
  record,    // another commit with the running content: nothing restarts
  deploy,
};

// Returns the contents that are tried only if an operator asks: the rejected ones, and that of a
// deployment that failed by its own fault and waits to be rolled back, whose rejection is recorded
// with its end.
std::set<std::string> contents_not_tried(std::set<std::string> rejected,
                                         const std::optional<Deployment>& in_flight,
                                         const Releases& releases);

// Pointers outlive the call.
struct AssessmentInput {
  const Release* candidate = nullptr;
  bool is_asked = false;                            // an operator asks
  bool is_plan_empty = false;                       // nothing that is running would change
  const ReleaseRecord* current = nullptr;           // null before the first
  const std::set<std::string>* rejected = nullptr;  // as contents_not_tried() says
  const Releases* releases = nullptr;
  WallTime tries_count_since;  // what failed before is not counted
};
Assessment assess_candidate(const AssessmentInput& input);
// Returns the kind of deployment for a candidate that is assessed as record or deploy.
DeploymentKind kind_of_deployment(Assessment assessment, const Release& candidate,
                                  const ReleaseRecord* current);

// The facts that a stack status is made from. Pointers outlive the call.
struct Record {
  std::string stack;
  const Releases* releases = nullptr;
  const std::set<std::string>* rejected = nullptr;
  const ReleaseRecord* current = nullptr;  // null before the first
};
// Returns why rejected content is not tried, from the release with which it was rejected.
StackStatus status_of_rejected(const Record& record, const Release& candidate);
// Returns why content that failed repeatedly because of the host is not tried until something
// changes.
StackStatus status_of_vain(const Record& record, const Release& candidate);
StackStatus status_of_failed(const Record& record, const ReleaseRecord& release, Outcome outcome);

// Returns why a candidate is deployed, for people. `current`: null before the first.
std::string describe_cause(const Release& candidate, const Release* current);

}  // namespace trimtab
