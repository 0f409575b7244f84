// Decides what to do with what Git and the registries offer. Pure.
#pragma once

#include <set>
#include <string>

#include "agent/model/release.hpp"

namespace trimtab {

enum class Verdict {
  nothing,   // it is the current release
  record,    // another commit with the same content: the checkout moves, nothing restarts
  deploy,    // new content
  rejected,  // its content was rejected before
};

struct Content {
  std::string commit;
  std::string content_key;
};

// `current` is null before the first good release. `again` is set if an operator explicitly asked
// for it, so that rejected content is tried once more.
Verdict assess(const Content& content, const Release* current,
               const std::set<std::string>& rejected, bool again);

}  // namespace trimtab
