#include "agent/execute/rolling_update.hpp"

#include <algorithm>

#include "agent/execute/failure_log.hpp"
#include "agent/execute/gate.hpp"
#include "agent/execute/own_containers.hpp"
#include "agent/model/classify.hpp"
#include "agent/model/service.hpp"
#include "agent/model/variable_contents.hpp"
#include "common/failpoint.hpp"

namespace trimtab {

RollTurn next_turn(const RollState& state) {
  const int surplus = state.outgoing + state.incoming - state.replicas;
  if (state.outgoing == 0 && state.incoming >= state.replicas) return {RollTurn::Kind::finish, 0};
  if (surplus > 0 && state.incoming > 0 && state.outgoing > 0) {
    return {RollTurn::Kind::prune, std::min(surplus, state.outgoing)};
  }
  const int more = std::max(1, std::min(state.at_a_time, state.replicas - state.incoming));
  return {RollTurn::Kind::add, state.outgoing + state.incoming + more};
}

RollingUpdate::RollingUpdate(RollingUpdateDeps deps, RollingUpdateSpec roll)
    : deps_(deps),
      roll_(std::move(roll)),
      turnover_({deps.docker, deps.progress, deps.stop_requested},
                {roll_.service, roll_.with_new_files, roll_.going_back}) {
  replicas_ = replicas_of(roll_.rendering->service(roll_.service));
}

Task<Result<RollingUpdate::Present>> RollingUpdate::observe() {
  auto containers =
      co_await own_containers(deps_.docker, deps_.settings, deps_.store, deps_.project);
  if (!containers) co_return containers.error();
  Present present;
  present.all = std::move(*containers);
  for (const Container& container : present.all) {
    if (container.service != roll_.service) continue;
    const bool leaves = roll_.outgoing.contains(container.id);
    (leaves ? present.outgoing : present.incoming).push_back(container);
  }
  // Containers that are not running come first.
  std::stable_partition(present.outgoing.begin(), present.outgoing.end(),
                        [](const Container& c) { return c.state != ContainerState::running; });
  co_return present;
}

Task<Result<void>> RollingUpdate::tidy() {
  const Result<Present> present = co_await observe();
  if (!present) co_return present.error();
  for (const Container& container : present->incoming) {
    Result<void> tidied;
    // A killed Compose leaves a container that may lack some of its networks.
    if (container.state == ContainerState::created) {
      tidied = co_await deps_.docker.remove(container.id);
    }
    // It was stopped during the update that is being rolled back.
    if (container.state == ContainerState::exited && roll_.going_back) {
      tidied = co_await deps_.docker.start(container.id);
    }
    if (!tidied) co_return tidied;
  }
  co_return Result<void>();
}

Task<Result<void>> RollingUpdate::run() {
  Result<void> done = co_await take_turns();
  if (!done && deps_.stop_requested) co_return done;
  // Lines left behind would name addresses that other containers may get later.
  const Result<void> freed = co_await restore_proxy_hosts();
  if (done) done = freed;
  co_return done;
}

Task<Result<void>> RollingUpdate::take_turns() {
  Result<void> done = co_await tidy();
  // Each step adds or removes a container, unless somebody interferes.
  const std::size_t max_turns =
      4 + 4 * static_cast<std::size_t>(std::max(replicas_, 1)) + 2 * roll_.outgoing.size();
  for (std::size_t turn = 0; done && turn < max_turns; ++turn) {
    if (deps_.stop_requested) co_return Error{Errc::cancelled, "stopped while rolling", {}};
    const Result<Present> present = co_await observe();
    if (!present) co_return present.error();
    RollState state;
    state.outgoing = static_cast<int>(present->outgoing.size());
    state.incoming = static_cast<int>(present->incoming.size());
    state.replicas = replicas_;
    state.at_a_time = parallelism_of(roll_.rendering->service(roll_.service));
    const RollTurn next = next_turn(state);
    if (next.kind == RollTurn::Kind::finish) co_return co_await wait_until_healthy();
    if (next.kind == RollTurn::Kind::add) done = co_await add(next.count);
    if (next.kind != RollTurn::Kind::prune) continue;
    done = co_await wait_until_healthy();
    if (done) done = co_await prune(static_cast<std::size_t>(next.count));
  }
  if (!done) co_return done;
  co_return Error{Errc::conflict, roll_.service + ": its containers keep changing",
                  "is something else starting or stopping them?"};
}

Task<Result<void>> RollingUpdate::add(int up_to) {
  UpRequest request;
  request.file = roll_.compose_file;
  request.directory = deps_.settings.directory;
  request.project = deps_.project;
  request.services = {roll_.service};
  request.add_up_to = up_to;
  request.variables = kept_values(roll_.rendering->model);
  Result<void> added = co_await deps_.compose.up(std::move(request));
  failpoint("rolling:added");
  if (!added && !is_transient(added.error().code)) {
    co_await note_failure(classify(Phase::starting, added.error()), added.error().message);
    const Result<void> removed = co_await remove_failed();
    if (!removed) co_return removed;
  }
  co_return added;
}

// Applies the gate's rules to this service alone. Without a health check a container has to run for
// gate.stable.
Task<Result<void>> RollingUpdate::wait_until_healthy() {
  std::optional<Gate> gate;
  for (;;) {
    const Result<Present> present = co_await observe();
    if (!present) co_return present.error();
    const auto now = SteadyClock::now();
    if (!gate) {
      const bool checked = std::all_of(present->incoming.begin(), present->incoming.end(),
                                       [](const Container& c) { return c.health != Health::none; });
      GateDemand demand;
      demand.timeout = deps_.settings.gate.timeout;
      demand.others_start = roll_.others_start;
      if (!checked) demand.stable = deps_.settings.gate.stable;
      GateDemand::Service service;
      service.replicas = static_cast<int>(present->incoming.size());
      service.image_id = roll_.image_id;
      demand.services[roll_.service] = service;
      // What a good release's containers went through earlier does not count against them.
      if (roll_.going_back) {
        for (const Container& container : present->incoming) demand.untouched.insert(container.id);
      }
      gate.emplace(std::move(demand), now);
    }
    GateVerdict verdict = gate->observe(present->incoming, {}, now);
    pass_by_what_does_not_work(*present);
    if (verdict.state == GateVerdict::State::passed) co_return Result<void>();
    if (verdict.state == GateVerdict::State::failed) {
      const bool content = verdict.cause == FailureCause::release;
      co_await note_failure(verdict.cause, verdict.reason);
      const Result<void> removed = co_await remove_failed();
      if (!removed) co_return removed;
      co_return Error{content ? Errc::failed : Errc::timed_out, verdict.reason, {}};
    }
    deps_.progress.waiting_for(verdict.waiting_for);
    co_await deps_.engine_changed.wait_until(gate->next_poll_at(SteadyClock::now()));
    if (deps_.stop_requested) co_return Error{Errc::cancelled, "stopped while rolling", {}};
  }
}

// If no old container works either, the new ones are not avoided: they may be able to answer.
void RollingUpdate::pass_by_what_does_not_work(const Present& present) {
  const bool others_work = std::any_of(present.outgoing.begin(), present.outgoing.end(), works);
  std::vector<Container> avoided;
  std::vector<Container> used;
  for (const Container& container : present.incoming) {
    (works(container) || !others_work ? used : avoided).push_back(container);
  }
  const std::vector<Proxy> proxies = proxies_of(*roll_.rendering, present.all, roll_.service);
  turnover_.pass_by(proxies, avoided, used);
}

Task<void> RollingUpdate::note_failure(FailureCause cause, std::string reason) {
  Failure failure;
  failure.cause = cause;
  failure.reason = std::move(reason);
  const Result<Present> present = co_await observe();
  if (present) {
    for (const Container& container : present->incoming) {
      if (works(container)) continue;
      ServiceFailure service{roll_.service, failure.reason, {}};
      co_await add_last_lines(deps_.docker, container.id, &service);
      failure.services.push_back(std::move(service));
    }
  }
  failure_ = std::move(failure);
}

// A container that does not work would still get requests by the service's name. If all old ones
// are running, removing it restores the service; if none is, or the old ones are those that failed,
// there is nothing better to fall back to.
Task<Result<void>> RollingUpdate::remove_failed() {
  const Result<Present> present = co_await observe();
  if (!present) co_return present.error();
  const auto working = std::count_if(present->outgoing.begin(), present->outgoing.end(), works);
  if (roll_.going_back || working == 0) co_return Result<void>();
  const bool whole = working >= replicas_;
  for (const Container& container : present->incoming) {
    if (!whole && works(container)) continue;
    const Result<void> stopped = co_await deps_.docker.stop(container.id);
    if (!stopped) co_return stopped;
    const Result<void> removed = co_await deps_.docker.remove(container.id);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

// --- removing the old containers

Task<Result<void>> RollingUpdate::restore_proxy_hosts() {
  const Result<Present> present = co_await observe();
  if (!present) co_return present.error();
  const std::vector<Proxy> proxies = proxies_of(*roll_.rendering, present->all, roll_.service);
  const Result<void> freed = co_await turnover_.free(proxies, present->incoming.size());
  if (turnover_.failure()) failure_ = turnover_.failure();
  co_return freed;
}

Task<Result<void>> RollingUpdate::prune(std::size_t count) {
  const Result<Present> present = co_await observe();
  if (!present) co_return present.error();
  count = std::min(count, present->outgoing.size());
  std::vector<Container> going(present->outgoing.begin(),
                               present->outgoing.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<Container> remaining = present->incoming;
  remaining.insert(remaining.end(), present->outgoing.begin() + static_cast<std::ptrdiff_t>(count),
                   present->outgoing.end());
  const std::vector<Proxy> proxies = proxies_of(*roll_.rendering, present->all, roll_.service);
  const Result<void> pointed = co_await turnover_.point(proxies, going, remaining);
  if (turnover_.failure()) failure_ = turnover_.failure();
  if (!pointed) co_return pointed;
  failpoint("rolling:pointed");
  for (const Container& container : going) {
    const Result<void> stopped = co_await deps_.docker.stop(container.id);
    if (!stopped && stopped.error().code != Errc::not_found) co_return stopped;
    failpoint("rolling:stopped");
    const Result<void> removed = co_await deps_.docker.remove(container.id);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

}  // namespace trimtab
