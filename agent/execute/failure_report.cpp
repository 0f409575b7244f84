#include "agent/execute/failure_report.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/execute/failure_log.hpp"
#include "agent/execute/operations.hpp"

namespace trimtab {
namespace {

constexpr int ended_by_signal = 128;

bool is_unwell(const Container& container) {
  return container.health == Health::unhealthy || container.state == ContainerState::restarting ||
         (container.state == ContainerState::exited && container.exit_code != 0) ||
         !container.error.empty();
}

bool ended_by_itself(const Container& container) {
  return container.state == ContainerState::exited && container.error.empty() &&
         !container.oom_killed && container.exit_code > 0 && container.exit_code < ended_by_signal;
}

// Whether another container shares its network, memory or processes.
bool is_shared(const Container& container, const std::vector<Container>& present) {
  return std::any_of(present.begin(), present.end(), [&](const Container& other) {
    return std::find(other.shares_with.begin(), other.shares_with.end(), container.id) !=
           other.shares_with.end();
  });
}

std::string ailment(const Container& container) {
  if (!container.error.empty()) return container.error;
  if (container.health == Health::unhealthy) return "unhealthy";
  return fmt::format("exited with {}", container.exit_code);
}

}  // namespace

Failure failure_of_pause(const StackSettings& settings, Phase phase) {
  const Error error{Errc::cancelled, settings.name + " was paused", {}};
  return failure_of(phase, error, FailureCause::host);
}

Failure failure_of(Phase phase, const Error& error, FailureCause cause) {
  Failure failure;
  failure.cause = cause;
  failure.phase = to_string(phase);
  failure.reason = error.message;
  failure.hint = error.hint;
  return failure;
}

Failure failure_of_start(const Error& error, FailureCause cause,
                         const std::vector<Container>& present) {
  Failure failure = failure_of(Phase::starting, error, cause);
  for (const Container& container : present) {
    if (!is_unwell(container)) continue;
    // Lack of memory is the host's fault, whatever Compose reports about the exit.
    if (container.oom_killed) failure.cause = FailureCause::host;
    // No container can join the network of one that has exited, but the runtime's message does not
    // say why it exited.
    if (ended_by_itself(container) && is_shared(container, present)) {
      failure.cause = FailureCause::release;
    }
    failure.services.push_back({container.service, ailment(container), {}});
  }
  return failure;
}

Task<void> add_logs(Docker& docker, const StackReader& stack,
                    std::vector<ServiceFailure>* services) {
  if (services->empty()) co_return;
  const auto present = co_await stack.containers();
  if (!present) co_return;
  for (ServiceFailure& failure : *services) {
    const std::vector<Container> theirs = containers_of(*present, {failure.service});
    for (const Container& container : theirs) {
      co_await add_last_lines(docker, container.id, &failure);
    }
  }
}

}  // namespace trimtab
