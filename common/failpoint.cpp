#include "common/failpoint.hpp"

#ifdef TRIMTAB_FAILPOINTS

#include <csignal>
#include <cstdlib>
#include <map>
#include <string>

namespace trimtab {

void failpoint(std::string_view name) {
  static std::map<std::string, int, std::less<>> passed;
  const char* const wanted = std::getenv("TRIMTAB_KILL_AT");
  if (wanted == nullptr) return;
  const int count = ++passed[std::string(name)];
  const std::string_view text(wanted);
  const auto hash = text.find('#');
  const int nth = hash == std::string_view::npos ? 1 : std::atoi(wanted + hash + 1);
  if (text.substr(0, hash) == name && count == nth) std::raise(SIGKILL);
}

std::chrono::milliseconds time_in_tests(const char* name, std::chrono::milliseconds usual) {
  const char* const wanted = std::getenv(name);
  return wanted == nullptr ? usual : std::chrono::milliseconds(std::atoi(wanted));
}

}  // namespace trimtab

#endif
