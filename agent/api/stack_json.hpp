// What the status socket says of a stack, in the form of config/openapi.yaml.
#pragma once

#include "agent/api/unavailable_stack.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "common/json.hpp"

namespace trimtab {

Json stack_json(const Reconciler& stack);
Json stack_json(const UnavailableStack& stack);
// The same on one line, for `systemctl status`. `stack` is stack_json()'s.
std::string stack_line(const Json& stack, WallTime now);
// With what became of it last. `brief`: without logs, output and the deployments one by one.
Json release_json(const Store& store, const ReleaseRecord& release, bool brief);
Json plan_json(const std::string& stack, const PlanAnswer& answer);

}  // namespace trimtab
