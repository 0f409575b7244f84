#include "agent/reconcile/projects.hpp"

namespace trimtab {

std::string Projects::claim(const std::string& project, const std::string& stack) {
  std::string other = other_holder(project, stack);
  if (!other.empty()) return other;
  release(stack);
  holders_[project] = stack;
  return {};
}

void Projects::release(const std::string& stack) {
  std::erase_if(holders_, [&](const auto& holder) { return holder.second == stack; });
}

std::string Projects::other_holder(const std::string& project, const std::string& stack) const {
  const auto holder = holders_.find(project);
  return holder == holders_.end() || holder->second == stack ? std::string() : holder->second;
}

}  // namespace trimtab
