// Orders version tags.
#pragma once

#include <string_view>

namespace trimtab {

// Whether `a` is an older version than `b`. Runs of digits compare as numbers (v1.9 before v1.10),
// and a pre-release comes before its release (v2.0-rc1, v2.0-rc2, v2.0). A strict total order on
// strings.
bool is_older_version(std::string_view a, std::string_view b);

}  // namespace trimtab
