// The conditions that a release must meet to pass the gate. Pure.
#pragma once

#include "agent/config/settings.hpp"
#include "agent/execute/gate.hpp"
#include "agent/model/plan.hpp"
#include "agent/model/release.hpp"

namespace trimtab {

// `image_ids`: service → id that its pinned image has on this host. `before`: what ran before the
// release was applied, to know what was stopped by hand. `plan`: what is applied: services that it
// starts must run the release's image whatever was before, those that it removes need not.
// `excused`: services that need not work where the plan leaves them alone: jobs that did their work
// earlier, and what did not work before.
GateDemand demand_of(const Rendering& rendering, const GateSettings& settings,
                     const std::map<std::string, std::string>& image_ids, const Observed& before,
                     const Plan& plan, const std::set<std::string>& exempt_services);

}  // namespace trimtab
