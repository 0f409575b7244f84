#include "agent/resolve/verdict.hpp"

namespace trimtab {

Verdict assess(const Content& content, const Release* current,
               const std::set<std::string>& rejected, bool again) {
  if (current != nullptr && current->content_key == content.content_key) {
    return current->commit == content.commit ? Verdict::nothing : Verdict::record;
  }
  if (rejected.contains(content.content_key) && !again) return Verdict::rejected;
  return Verdict::deploy;
}

}  // namespace trimtab
