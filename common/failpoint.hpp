// Points at which a test kills the daemon, as kill -9 or a power cut would, and timeouts that tests
// shorten. Compiled in only for tests (TRIMTAB_FAILPOINTS).
#pragma once

#include <chrono>
#include <string_view>

namespace trimtab {

// Kills the process if the environment variable TRIMTAB_KILL_AT names this point or, with "NAME#N",
// when it is passed for the Nth time.
#ifdef TRIMTAB_FAILPOINTS
void failpoint(std::string_view name);
// Returns the milliseconds in the environment variable `name`, by default `usual`.
std::chrono::milliseconds time_in_tests(const char* name, std::chrono::milliseconds usual);
#else
inline void failpoint(std::string_view) {}
inline std::chrono::milliseconds time_in_tests(const char*, std::chrono::milliseconds usual) {
  return usual;
}
#endif

}  // namespace trimtab
