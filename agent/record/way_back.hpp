// Chooses the release to roll back to. Pure.
#pragma once

#include <set>
#include <string>

#include "agent/model/release_record.hpp"

namespace trimtab {

// What `than` goes back to: the release that ran when it was deployed. Where that one has the same
// content, is no longer good, or its content was rejected since, the one that ran before it; where
// the record of one is gone, the newest good one before that. Null: there is none. It lives as long
// as `releases`.
const ReleaseRecord* way_back_from(const ReleaseRecord& than, const Releases& releases,
                                   const std::set<std::string>& rejected);

}  // namespace trimtab
