// HTTP probes of the gate.
#pragma once

#include "agent/config/settings.hpp"
#include "agent/execute/gate.hpp"
#include "common/async.hpp"

namespace trimtab {

// Asks the URL once (GET, 5 s, redirects are not followed) and compares the status.
Task<ProbeAnswer> probe(ProbeSettings settings);

}  // namespace trimtab
