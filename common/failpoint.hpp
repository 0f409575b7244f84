// Points at which a test ends the daemon, as kill -9 or a power cut would, and times that are too
// long to wait for. Compiled in for tests alone (TRIMTAB_FAILPOINTS).
#pragma once

#include <chrono>
#include <string_view>

namespace trimtab {

// Ends the process at once if the environment's TRIMTAB_KILL_AT names this point, and, where that
// holds "NAME#N", when it is passed for the Nth time.
#ifdef TRIMTAB_FAILPOINTS
void failpoint(std::string_view name);
// `usual`, unless the environment has other milliseconds under that name.
std::chrono::milliseconds time_in_tests(const char* name, std::chrono::milliseconds usual);
#else
inline void failpoint(std::string_view) {}
inline std::chrono::milliseconds time_in_tests(const char*, std::chrono::milliseconds usual) {
  return usual;
}
#endif

}  // namespace trimtab
