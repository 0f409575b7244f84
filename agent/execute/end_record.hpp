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
  const ReleaseRecord* release = nullptr;   // the one that was deployed
  const ReleaseRecord* fallback = nullptr;  // null if there was none
  const ReleaseRecord* left = nullptr;      // current when it began; null if none
  const Deployment* made_fallback =
      nullptr;  // the deployment by which the fallback is good; null if it is not
  std::chrono::milliseconds probation{0};
  WallTime now;
};

struct EndRecord {
  Deployment ended;                      // as it is to be recorded
  std::optional<Deployment> runs_again;  // puts the restored release on probation again
  std::vector<std::string> rejects;      // content keys
  std::string accepted_content;          // content key that is no longer rejected; "" if none
};

EndRecord end_record_of(const EndRecordInput& input);

// Returns whether a failure of the deployment shows that the release's content is bad. It does not
// if the host is to blame, if an operator rolled back to it, or if a repair of what was running
// failed. `fallback`: null if there is none.
bool is_content_at_fault(const Deployment& deployment, const Release& release,
                         const Release* fallback);

// Writes the record, the end last. May be repeated. Errors: those of writing; not_found if the
// release no longer exists.
Task<Result<void>> write_end(Store& store, DeploymentEnd end, Deployment deployment,
                             std::chrono::milliseconds probation);

}  // namespace trimtab
