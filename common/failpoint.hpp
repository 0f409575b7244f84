// Points at which a test ends the daemon, as kill -9 or a power cut would. Compiled in for tests
// alone (TRIMTAB_FAILPOINTS).
#pragma once

#include <string_view>

namespace trimtab {

// Ends the process at once if the environment's TRIMTAB_KILL_AT names this point, and, where that
// holds "NAME#N", when it is passed for the Nth time.
#ifdef TRIMTAB_FAILPOINTS
void failpoint(std::string_view name);
#else
inline void failpoint(std::string_view) {}
#endif

}  // namespace trimtab
