#include "agent/execute/gate.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/model/classify.hpp"
#include "agent/plan/diff.hpp"

namespace trimtab {
namespace {

// A container that Docker has restarted this often does not work, whatever its current state.
constexpr int max_restarts = 3;

bool restarts_by_itself(const Container& container) {
  return container.restart_policy == "always" || container.restart_policy == "unless-stopped";
}

std::string times(int count) {
  return std::to_string(count) + (count == 1 ? " time" : " times");
}

std::string seconds_text(SteadyClock::duration duration) {
  return human_duration(std::chrono::duration_cast<std::chrono::milliseconds>(duration));
}

std::string exit_words(const Container& container) {
  if (container.oom_killed) return "was killed for lack of memory";
  std::string words = fmt::format("exited with {}", container.exit_code);
  if (!container.error.empty()) words += " (" + container.error + ")";
  return words;
}

// Whether it was killed for lack of memory, or could not be started for a reason that is not known
// to be the release's.
bool is_ended_by_host(const Container& container) {
  return container.oom_killed ||
         (!container.error.empty() && !is_fault_of_release(container.error));
}

// Docker restarts it whatever ends it, except a stop or a kill by somebody.
bool is_ended_by_somebody(const Container& container) {
  return is_stopped_manually(container) && container.error.empty();
}

}  // namespace

Gate::Gate(GateDemand demand, SteadyClock::time_point now)
    : demand_(std::move(demand)), begun_(now) {}

// A container's health is unknown until its first check, however long that takes.
void Gate::wait_for_health(const Container& container) {
  const bool is_known =
      demand_.untouched.contains(container.id) && container.health != Health::starting;
  if (!container.health_check || is_known) return;
  const auto wait = std::min(health_known_after(*container.health_check), max_health_wait);
  health_wait_ = std::max(health_wait_, wait);
}

// Whether one of the containers has exited too often by itself. Restarts that happen while other
// services are not working yet do not count: such a container has until the deadline.
bool Gate::is_final(const std::vector<const Container*>& own, bool others_work) {
  bool final = false;
  for (const Container* container : own) {
    const int restarts = restarts_since_begin(*container);
    int& exempt_services = excused_restarts_[container->id];
    exempt_services = others_work ? std::min(exempt_services, restarts) : restarts;
    final = final || restarts - exempt_services >= max_restarts;
  }
  return final;
}

// Among the containers that the deployment leaves alone, one that has exited and is not restarted
// was stopped by somebody.
bool Gate::is_stopped_meanwhile(const Container& container) const {
  return demand_.untouched.contains(container.id) && is_ended_by_somebody(container);
}

// Being started is not enough: the others that depend on it and exit without it are not in a crash
// loop yet.
bool Gate::is_known_to_work(const Container& container) const {
  if (is_stopped_meanwhile(container)) return true;
  if (container.state == ContainerState::exited) {
    return container.exit_code == 0 && !restarts_by_itself(container);
  }
  if (container.state != ContainerState::running) return false;
  return container.health == Health::healthy ||
         (container.health == Health::none && demand_.untouched.contains(container.id));
}

int Gate::restarts_since_begin(const Container& container) {
  if (!demand_.untouched.contains(container.id)) return container.restart_count;
  const auto before = restarts_before_.try_emplace(container.id, container.restart_count).first;
  // Docker resets the counter when somebody, or a restart of Docker itself, starts the container
  // again.
  if (container.restart_count < before->second) before->second = 0;
  return container.restart_count - before->second;
}

Gate::ServiceState Gate::assess(const std::string& name, const GateDemand::Service& demand,
                                const std::vector<const Container*>& containers,
                                SteadyClock::time_point now) {
  ServiceState state;
  // If an application exits or its job does not finish, that is the release's doing. For other
  // reasons of not being ready the host may be the cause, for example a throttled CPU.
  const auto wait = [&](std::string words, bool by_release = false) {
    state.waiting = std::move(words);
    state.by_release = state.by_release || by_release;
  };
  const auto fail = [&](std::string reason, bool by_host = false) {
    state.by_host = by_host && (!state.failure || state.by_host);
    if (!state.failure) state.failure = ServiceFailure{name, std::move(reason), {}};
  };
  state.known_to_work = !containers.empty() || demand.replicas == 0;
  int running = 0;
  int finished = 0;
  for (const Container* container : containers) {
    if (!demand.image_id.empty() && container->image_id != demand.image_id) {
      fail("runs a different image than the release specifies");
      continue;
    }
    state.known_to_work = state.known_to_work && is_known_to_work(*container);
    const int restarts = restarts_since_begin(*container);
    if (restarts >= max_restarts) {
      // The Engine reports exit code 0 while the container is running.
      const std::string words =
          container->state == ContainerState::running ? "exited " : exit_words(*container) + ", ";
      state.loop = ServiceFailure{
          name, fmt::format("{}{} in {}", words, times(restarts), seconds_text(now - begun_)), {}};
      state.loop_by_world = is_ended_by_host(*container);
    }
    switch (container->state) {
      case ContainerState::running:
        if (container->health == Health::unhealthy) {
          std::string words = "unhealthy";
          if (!container->last_health_output.empty()) {
            words += ": " + container->last_health_output;
          }
          fail(std::move(words));
        } else if (container->health == Health::starting) {
          wait("health: starting");
        } else if (demand.awaited_job) {
          wait("job is still running", true);
        } else {
          ++running;
        }
        break;
      case ContainerState::exited:
      case ContainerState::dead:
        if (is_stopped_meanwhile(*container)) {
          ++finished;
        } else if (container->exit_code == 0 && !restarts_by_itself(*container)) {
          ++finished;
        } else if (restarts_by_itself(*container) && container->exit_code == 0) {
          wait("stopped");
        } else if (restarts_by_itself(*container) && container->restart_count > 0) {
          wait("restarting", !is_ended_by_host(*container));
        } else {
          fail(exit_words(*container),
               is_ended_by_host(*container) || is_ended_by_somebody(*container));
        }
        break;
      case ContainerState::restarting:
        wait(exit_words(*container) + ", restarting", !is_ended_by_host(*container));
        break;
      case ContainerState::created:
        wait(container->error.empty() ? "created, not started" : container->error,
             is_fault_of_release(container->error));
        break;
      case ContainerState::paused:
        wait("paused");
        break;
      case ContainerState::removing:
        wait("being removed");
        break;
    }
  }
  if (!state.failure && state.waiting.empty() && running + finished < demand.replicas) {
    state.waiting = containers.empty()
                        ? "no container"
                        : fmt::format("{} of {} containers", running + finished, demand.replicas);
  }
  return state;
}

GateVerdict Gate::observe(const std::vector<Container>& containers,
                          const std::vector<ProbeAnswer>& probes, SteadyClock::time_point now) {
  GateVerdict verdict;
  bool world = true;
  bool by_release = false;
  int restarts = 0;
  std::map<std::string, ServiceState> states;
  std::map<std::string, std::vector<const Container*>> own;
  const auto is_settled = [](const ServiceState& state) {
    return state.known_to_work || state.loop.has_value();
  };
  int unsettled = demand_.others_start ? 1 : 0;
  for (const auto& [name, demand] : demand_.services) {
    if (!demand.must_run) continue;
    for (const Container& container : containers) {
      if (container.service != name) continue;
      own[name].push_back(&container);
      restarts += restarts_since_begin(container);
      wait_for_health(container);
    }
    states[name] = assess(name, demand, own[name], now);
    if (!is_settled(states[name])) ++unsettled;
  }
  for (auto& [name, state] : states) {
    const bool others_work = unsettled == (is_settled(state) ? 0 : 1);
    const bool final = is_final(own[name], others_work);
    if (state.loop && final && !state.failure) {
      state.failure = state.loop;
      state.by_host = state.loop_by_world;
    }
    if (state.failure) {
      world = world && state.by_host;
      verdict.services.push_back(*state.failure);
    } else if (!state.waiting.empty()) {
      by_release = by_release || state.by_release;
      verdict.waiting_for[name] = state.waiting;
    }
  }
  if (!verdict.services.empty()) {
    verdict.state = GateVerdict::State::failed;
    verdict.cause = world ? FailureCause::host : FailureCause::release;
    const ServiceFailure& first = verdict.services.front();
    verdict.reason = first.service + " " + first.reason;
    if (verdict.services.size() > 1) {
      verdict.reason += fmt::format(" (and {} more)", verdict.services.size() - 1);
    }
    return verdict;
  }
  // A probe cannot succeed before the services have started.
  const bool all_started = verdict.waiting_for.empty();
  for (const ProbeAnswer& probe : probes) {
    if (probe.ok) continue;
    verdict.waiting_for[probe.url] = probe.what;
    by_release = by_release || all_started;
  }
  if (verdict.waiting_for.empty()) {
    if (!satisfied_since_ || restarts != restarts_when_satisfied_) {
      satisfied_since_ = now;
      restarts_when_satisfied_ = restarts;
    }
    if (now - *satisfied_since_ >= demand_.stable) {
      verdict.state = GateVerdict::State::passed;
      return verdict;
    }
    // Everything works: from now on the deadline no longer matters, only whether it keeps working.
    return verdict;
  }
  satisfied_since_.reset();
  if (now < deadline()) return verdict;
  verdict.state = GateVerdict::State::failed;
  verdict.cause = by_release ? FailureCause::release : FailureCause::host;
  const auto& [who, words] = *verdict.waiting_for.begin();
  verdict.reason =
      fmt::format("{} is not ready after {}: {}", who, seconds_text(now - begun_), words);
  for (const auto& [service, why] : verdict.waiting_for) {
    if (demand_.services.contains(service)) verdict.services.push_back({service, why, {}});
  }
  return verdict;
}

SteadyClock::time_point Gate::next_poll_at(SteadyClock::time_point now) const {
  // The Engine announces changes by events; this is for what has no events: time, probes, restart
  // counts.
  SteadyClock::time_point next_check = now + std::chrono::seconds(1);
  if (satisfied_since_)
    next_check = std::min(next_check, *satisfied_since_ + demand_.stable);
  else
    next_check = std::min(next_check, deadline());
  return std::max(next_check, now + std::chrono::milliseconds(50));
}

}  // namespace trimtab
