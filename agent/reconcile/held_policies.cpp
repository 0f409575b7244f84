#include "agent/reconcile/held_policies.hpp"

namespace trimtab {
namespace {

bool would_come_back(const Container& container) {
  const std::string& policy = container.restart_policy.name;
  return container.state == ContainerState::exited &&
         (policy == "always" || (policy == "on-failure" && container.exit_code != 0));
}

// The nearest one that does not start what was stopped by hand.
RestartPolicy held_policy_of(const RestartPolicy& policy) {
  return {policy.name == "always" ? "unless-stopped" : "no", 0};
}

}  // namespace

PolicyChanges policy_changes(const std::vector<Container>& containers, bool stopped,
                             const std::map<std::string, RestartPolicy>& held) {
  PolicyChanges result;
  for (const Container& container : containers) {
    const auto before = held.find(container.id);
    if (stopped) {
      if (before != held.end()) result.held.insert(*before);
      if (!would_come_back(container)) continue;
      result.held.emplace(container.id, container.restart_policy);
      result.changes.push_back(
          {container.id, container.service, held_policy_of(container.restart_policy)});
    } else if (before != held.end() && container.restart_policy != before->second) {
      result.held.insert(*before);
      result.changes.push_back({container.id, container.service, before->second});
    }
  }
  return result;
}

}  // namespace trimtab
