// The conditions that a release must meet to pass the gate. Pure.
#pragma once

#include "agent/config/settings.hpp"
#include "agent/execute/gate.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"
#include "agent/model/running_set.hpp"

namespace trimtab {

// `image_ids`: service → id that its pinned image has on this host. `present`: the stack's
// containers, from which it is known what was stopped manually. `verified`: those that were there
// before the release was applied. `plan`: services that
// it starts must run the release's image, those that it removes need not run. `excused`: services
// that need not work if the plan leaves them alone: jobs that finished earlier, and services that
// were already failing.
GateDemand demand_of(const Rendering& rendering, const GateSettings& settings,
                     const std::map<std::string, std::string>& image_ids, const Observed& present,
                     const RunningSet& verified, const Plan& plan,
                     const std::set<std::string>& exempt_services);

}  // namespace trimtab
