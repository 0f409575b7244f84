// The record of how a deployment ended. Pure, except for write_end().
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "agent/execute/phase_machine.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

struct EndRecordInput {
  DeploymentEnd end = DeploymentEnd::committed;
  const Deployment* deployment = nullptr;
  const ReleaseRecord* release = nullptr;     // the one that it was about
  const ReleaseRecord* fallback = nullptr;    // null: there was none
  const ReleaseRecord* left = nullptr;        // what was current when it began; null: none
  const Deployment* made_fallback = nullptr;  // by which the fallback is good; null: it is not
  std::chrono::milliseconds probation{0};
  WallTime now;
};

struct EndRecord {
  Deployment ended;                      // as it is recorded now
  std::optional<Deployment> runs_again;  // by which what it went back to is on probation anew
  std::vector<std::string> rejects;      // content keys
  std::string accepted_content;          // content key; "": none
};

EndRecord end_record_of(const EndRecordInput& input);

// Whether a failure of the deployment says that the release's content is bad. It does not if the
// host is to blame, if an operator went back to it, or if a repair failed of what was running.
// `fallback`: null if there is none.
bool is_content_at_fault(const Deployment& deployment, const Release& release,
                         const Release* fallback);

// Writes it, the end at last. May be repeated. Errors: those of writing; not_found where the
// release is gone.
Task<Result<void>> write_end(Store& store, DeploymentEnd end, Deployment deployment,
                             std::chrono::milliseconds probation);

}  // namespace trimtab
