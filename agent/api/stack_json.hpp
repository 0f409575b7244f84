// Serializes stacks as config/openapi.yaml specifies.
#pragma once

#include "agent/api/unavailable_stack.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "common/json.hpp"

namespace trimtab {

Json stack_json(const Reconciler& stack);
Json stack_json(const UnavailableStack& stack);
// Returns one line for `systemctl status`. `stack` must come from stack_json().
std::string stack_line(const Json& stack, WallTime now);
// Includes the outcome of its last deployment. `brief` omits logs, output and the list of
// deployments.
Json release_json(const Store& store, const ReleaseRecord& release, bool brief);
Json plan_json(const std::string& stack, const PlanAnswer& answer);

}  // namespace trimtab
