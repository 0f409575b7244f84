#include "agent/execute/failure_log.hpp"

#include "common/text.hpp"

namespace trimtab {
namespace {

constexpr int last_lines_kept = 20;

}  // namespace

Task<void> add_last_lines(Docker& docker, std::string container, ServiceFailure* failure) {
  const Result<std::string> log =
      co_await docker.last_log_lines(std::move(container), last_lines_kept);
  if (!log) co_return;
  for (std::string& line : split(*log, '\n')) {
    if (!line.empty()) failure->log.push_back(std::move(line));
  }
}

}  // namespace trimtab
