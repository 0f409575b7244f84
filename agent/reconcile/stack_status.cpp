#include "agent/reconcile/stack_status.hpp"

#include <fmt/core.h>

#include "agent/plan/diff.hpp"
#include "common/enum_names.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

// Returns "" if the container does what it should, or what an operator wants.
std::string ailment(const Container& container, const ReleaseRecord* current) {
  // Docker reports exited containers as unhealthy too.
  if (container.state == ContainerState::running && container.health == Health::unhealthy) {
    return "is unhealthy";
  }
  if (container.state == ContainerState::restarting) return "keeps restarting";
  const bool ended = container.state == ContainerState::exited &&
                     !is_finished_job(container, current) && !is_stopped_manually(container);
  return ended ? fmt::format("exited with {}", container.exit_code) : std::string();
}

StackStatus unreachable_remote(const Error& error, const ReleaseRecord* current) {
  const std::string runs =
      current == nullptr ? "nothing is deployed" : release_text(current->number) + " keeps running";
  return StackStatus{state_of(error), error.message,
                     (error.hint.empty() ? "" : error.hint + "; ") + runs};
}

// If nothing is to be deployed: checks whether what is deployed is running as it should.
StackStatus at_rest(const StackStatusInput& input) {
  for (const Container& container : input.observed->containers) {
    const std::string what = ailment(container, input.current);
    if (what.empty()) continue;
    return StackStatus{
        StackState::degraded, container.service + " " + what,
        fmt::format("`trimtab logs {} {}` shows why", input.stack, container.service)};
  }
  if (!input.drift->empty()) {
    return StackStatus{StackState::degraded, input.drift->front(),
                       fmt::format("`trimtab deploy {}` restores it", input.stack)};
  }
  const std::string& held = input.intent->held_commit;
  if (input.current != nullptr && !held.empty() && input.tip->value->commit == held &&
      input.current->commit != held) {
    return StackStatus{
        StackState::synced,
        fmt::format("{} is not deployed because an operator asked for {}", short_commit(held),
                    short_commit(input.current->commit)),
        fmt::format("the next commit is deployed, and `trimtab deploy {}` deploys this one",
                    input.stack)};
  }
  if (input.current != nullptr && input.decided == StackStatus{StackState::synced, "", ""}) {
    std::string next = fmt::format("nothing to do: {} is up to date with Git and the registry",
                                   release_text(input.current->number));
    if (input.probation_left.count() > 0) {
      next += fmt::format("; on probation for {} left", human_duration(input.probation_left));
    }
    return StackStatus{StackState::synced, "", std::move(next)};
  }
  return input.decided;
}

}  // namespace

std::string short_commit(const std::string& commit) {
  return commit.substr(0, 7);
}

std::string release_text(int number) {
  return fmt::format("release {}", number);
}

std::string_view to_string(StackState state) {
  static constexpr EnumNames<StackState, 10> names{{
      {StackState::starting, "starting"},
      {StackState::synced, "synced"},
      {StackState::checking, "checking"},
      {StackState::waiting, "waiting"},
      {StackState::deploying, "deploying"},
      {StackState::rolling_back, "rolling_back"},
      {StackState::failed, "failed"},
      {StackState::paused, "paused"},
      {StackState::stopped, "stopped"},
      {StackState::degraded, "degraded"},
  }};
  return name_of(names, state);
}

StackState state_of(const Error& error) {
  return is_transient(error.code) ? StackState::waiting : StackState::failed;
}

StackStatus stack_status_of(const StackStatusInput& input) {
  if (input.intent->paused) {
    const std::string& why = input.intent->paused_why;
    return StackStatus{StackState::paused, why.empty() ? "paused by an operator" : why,
                       fmt::format("`trimtab resume {}` ends the pause", input.stack)};
  }
  if (!input.stopped_unit.empty()) {
    std::string reason = fmt::format("stopped by `systemctl stop {}`", input.stopped_unit);
    std::vector<std::string> running;
    for (const Container& container : input.observed->containers) {
      if (container.state == ContainerState::running) running.push_back(container.service);
    }
    if (!running.empty()) {
      reason +=
          fmt::format(", but {}{}", join(running, ", "), running.size() == 1 ? " runs" : " run");
    }
    return StackStatus{StackState::stopped, std::move(reason),
                       fmt::format("`systemctl start {}` starts it", input.stopped_unit)};
  }
  if (!input.unit_problem.empty()) {
    return StackStatus{
        StackState::waiting,
        "nothing is done until systemd reports the unit's state: " + input.unit_problem,
        "retried until it does; `systemctl status dbus` may tell more"};
  }
  if (input.docker_error) {
    return StackStatus{input.current == nullptr ? StackState::waiting : StackState::degraded,
                       input.docker_error->message, "retried until Docker is back"};
  }
  if (!input.lost_volumes.empty()) {
    const LostVolume& lost = input.lost_volumes.front();
    return StackStatus{StackState::failed, lost.text(), lost.hint()};
  }
  const bool decided_nothing_bad = input.decided.state == StackState::synced;
  if (input.tip->error && (decided_nothing_bad || !input.tip->value)) {
    return unreachable_remote(*input.tip->error, input.current);
  }
  if (!input.tip->value) return StackStatus{StackState::starting, "polling the remote", ""};
  return decided_nothing_bad ? at_rest(input) : input.decided;
}

}  // namespace trimtab
