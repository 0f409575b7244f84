#include "common/marked_processes.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "common/async.hpp"
#include "common/fd_io.hpp"
#include "common/files.hpp"
#include "common/number.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr auto orphan_timeout = std::chrono::seconds(5);

// Opens the pidfd before checking, because the pid could belong to another process by the time of
// the kill.
UniqueFd open_if_marked(pid_t pid, const std::string& mark) {
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return process;
  const auto environment = read_file(fmt::format("/proc/{}/environ", pid));
  if (!environment) return {};
  const std::vector<std::string> variables = split(*environment, '\0');
  if (std::find(variables.begin(), variables.end(), mark) == variables.end()) return {};
  return process;
}

}  // namespace

int kill_by_environment(const std::string& variable) {
  int ended = 0;
  const auto deadline = SteadyClock::now() + orphan_timeout;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ec)) {
    const std::string name = entry.path().filename().string();
    const std::optional<pid_t> pid = parse_number<pid_t>(name);
    if (!pid || *pid == ::getpid()) continue;
    const UniqueFd process = open_if_marked(*pid, variable);
    if (!process.valid()) continue;
    if (::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) != 0) continue;
    ++ended;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd gone{process.get(), POLLIN, 0};
    ::poll(&gone, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  }
  return ended;
}

}  // namespace trimtab
