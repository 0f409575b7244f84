// What is recorded and said of a commit that cannot be deployed as it is. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/settings.hpp"
#include "agent/model/deployment.hpp"
#include "agent/model/release.hpp"
#include "agent/reconcile/stack_status.hpp"
#include "common/async.hpp"

namespace trimtab {

struct Rejection {
  // The host alone is the reason: it can be deployed unchanged once the host is in order.
  bool is_by_host = false;
  // What is known as rejected from then on: the inputs, not the content, because a file that does
  // not affect the content may fix the problem. The same mistake has the same key, whatever the
  // words and figures of its findings.
  std::string key;
  Failure failure;
};

// `findings`: at least one; the first is the reason that people see.
Rejection rejection_of(const Release& release, const std::vector<PreflightFinding>& findings);

// `again`: when it is evaluated again; unset: once it is corrected.
StackStatus status_of_rejection(const Release& release, const Rejection& rejection,
                                std::optional<std::chrono::milliseconds> again);

// How long a commit has waited for an image that is not in its registry.
struct ImageWait {
  std::string commit;  // "": for none
  SteadyClock::time_point since;
  int questions = 0;  // asked in vain
};

struct ImageWaitStep {
  ImageWait wait;
  std::optional<std::chrono::milliseconds> again;  // when to ask again; unset: it waited enough
};

// Asks at increasing intervals, but not beyond the end of the waiting time. `jitter`: as
// next_interval() says.
ImageWaitStep next_image_wait(ImageWait before, const std::string& commit,
                              SteadyClock::time_point now, const ImageSettings& settings,
                              double jitter);

}  // namespace trimtab
