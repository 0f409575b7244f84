// Changes what is kept of a release.
#pragma once

#include <functional>
#include <string>

#include "agent/record/store.hpp"

namespace trimtab {

// Errors: not_found; those of writing.
Result<void> update_release(Store& store, int number, const std::function<void(Release&)>& change);

// For people, in the record of the release. One that is there already, since the phase is begun
// again, is not repeated.
void add_notice(Release& release, const std::string& notice);

}  // namespace trimtab
