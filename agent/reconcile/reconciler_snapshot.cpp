// Gathers what decisions are based on, and reports what changes between two decisions.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "agent/reconcile/docker_return.hpp"
#include "agent/reconcile/host_names.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "common/log.hpp"

namespace trimtab {

Task<void> Reconciler::observe() {
  Result<Observation> seen = co_await observer_.observe(project_, observation_);
  if (!seen) {
    observation_.error = seen.error();
    co_return;
  }
  const bool is_back = docker_return_.was_lost || docker_return_.is_first_look;
  const bool is_paused = deps_.store.intent().paused;
  if (is_back && !is_paused) {
    const bool changed = co_await put_right_after_docker(seen->of_release.containers);
    if (changed) seen = co_await observer_.observe(project_, observation_);
    if (!seen) {
      observation_.error = seen.error();
      co_return;
    }
  }
  if (docker_return_.was_lost) {
    // What failed because Docker was away may succeed now.
    docker_return_.back_at = wall_now();
    last_assessment_.key.clear();
  }
  docker_return_.was_lost = false;
  // In a stack that is paused, what Docker has started is stopped once it is resumed.
  docker_return_.is_first_look =
      (is_back && is_paused) || (docker_return_.is_first_look && unit_keeper_.is_moving());
  if (!docker_return_.is_first_look) note_what_runs_while_stopped(seen->own.containers);
  const Observation before = std::exchange(observation_, std::move(*seen));
  reporter_.observation(before, observation_);
  co_await upkeep_.check_certificates();
}

void Reconciler::note_what_runs_while_stopped(const std::vector<Container>& containers) {
  docker_return_.started_while_stopped.clear();
  if (!unit_keeper_.is_stopped()) return;
  for (const Container& container : containers) {
    if (container.state != ContainerState::running) continue;
    docker_return_.started_while_stopped.insert(container.id);
  }
}

// Returns whether anything was changed.
Task<bool> Reconciler::put_right_after_docker(std::vector<Container> containers) {
  bool changed = false;
  if (!unit_keeper_.is_stopped()) {
    if (!docker_return_.was_lost) co_return false;
    const std::vector<Container> down =
        not_restarted_by_docker(containers, observation_.own.containers, deps_.store.current());
    for (const Container& container : down) {
      reporter_.note(container.service + " was not restarted by Docker: starting it");
      const Result<void> started = co_await deps_.docker.restart(container.id);
      if (!started) spdlog::warn("{}: {}", deps_.settings.name, started.error().text());
      changed = true;
    }
    co_return changed;
  }
  // At the daemon's own start Docker may have been running for long, and users may have started
  // something since.
  WallTime until = WallTime::max();
  if (!docker_return_.was_lost) {
    const Result<UnitState> docker = co_await deps_.units->state(docker_unit);
    if (!docker || docker->load != "loaded") co_return false;
    if (docker->active == "active") until = docker->active_since;
  }
  const std::vector<Container> back =
      restarted_by_docker(containers, until, docker_return_.started_while_stopped);
  for (const Container& container : back) {
    reporter_.note(
        fmt::format("{} was started by Docker in a stack that {} has stopped: stopping it again",
                    container.service, deps_.settings.unit));
    const Result<void> stopped = co_await deps_.docker.stop(container.id);
    if (!stopped) spdlog::warn("{}: {}", deps_.settings.name, stopped.error().text());
    changed = true;
  }
  co_return changed;
}

// Evaluated only while a rollback is possible.
ProbationWatch::Check Reconciler::check_probation() {
  const Store& store = deps_.store;
  const bool may_go_back = !unit_keeper_.is_stopped() && !unit_keeper_.is_moving() &&
                           !flight_.unrecorded && !flight_.resumes && !store.intent().paused &&
                           !deps_.engine.error();
  if (!may_go_back) return {};
  const ReleaseRecord* const current = store.current();
  const ReleaseRecord* const before =
      current == nullptr ? nullptr : store.last_good_before(*current);
  return probation_.check(current, before, observation_.own.containers,
                          deps_.settings.gate.probation);
}

// Checks whether everything that the commit's evaluation depended on is unchanged. Reads files
// that may have changed.
void Reconciler::check_inputs(Snapshot* now) {
  if (now->is_stopped || now->is_moving || now->is_paused || now->docker_error || !now->tip) return;
  const StackSettings& settings = deps_.settings;
  const ReleaseRecord* const current = deps_.store.current();
  const Inputs of_current = current == nullptr ? Inputs{} : inputs_of(settings, *current);
  if (!last_assessment_.evaluated) last_assessment_.evaluated = of_current;
  const auto present = [&](const Inputs& inputs) {
    return present_key_.of(
        present_inputs(settings, now->tip->commit, facts_, inputs, input_hashes_));
  };
  now->evaluated_key = last_assessment_.key;
  now->present_key = present(*last_assessment_.evaluated);
  const RunningSet& running = deps_.store.running();
  const bool runs = current != nullptr && current->outcome == Outcome::good && running.is_whole() &&
                    running.release == current->number;
  // Mostly they are the same, and files are read once.
  const bool is_same = *last_assessment_.evaluated == of_current;
  now->is_as_deployed =
      runs && current->inputs_key == (is_same ? now->present_key : present(of_current));
}

// Whether the host now has the names that it lacked.
Task<bool> Reconciler::has_all_names_now() {
  if (!last_assessment_.lacks_names || deps_.engine.error()) co_return false;
  const auto [project, rendering] = *last_assessment_.lacks_names;
  co_return co_await has_all_names(deps_.docker, project, &rendering);
}

// Docker may deliver events and still not answer requests.
std::optional<Error> Reconciler::docker_error() const {
  return deps_.engine.error() ? deps_.engine.error() : observation_.error;
}

Record Reconciler::record() const {
  const Store& store = deps_.store;
  return Record{deps_.settings.name, &store.releases(), &store.rejected(), store.current()};
}

StackUnit Reconciler::stack_unit() const {
  StackUnit unit;
  unit.stack = deps_.settings.name;
  unit.project = project_;
  unit.directory = deps_.settings.directory.string();
  unit.state_directory = std::filesystem::absolute(deps_.store.directory()).string();
  unit.empty_file = deps_.paths.empty_file.string();
  unit.docker_socket = deps_.paths.docker_socket.string();
  unit.compose = deps_.compose.tool().argv;
  unit.has_pull_option = deps_.compose.tool().family == ComposeFamily::v2;
  return unit;
}

void Reconciler::refresh_status() {
  StackStatusInput input;
  if (unit_keeper_.is_stopped()) input.stopped_unit = deps_.settings.unit;
  input.stack = deps_.settings.name;
  input.decided = flight_.unrecorded ? flight_.unrecorded->status : last_assessment_.verdict;
  input.intent = &deps_.store.intent();
  input.current = deps_.store.current();
  input.docker_error = docker_error();
  if (unit_keeper_.is_moving() && unit_keeper_.view()) {
    input.unit_problem = unit_keeper_.view()->problem;
  }
  input.tip = &facts_.tip;
  input.observed = &observation_.of_release;
  input.drift = &observation_.drift;
  input.lost_volumes = observation_.lost_volumes;
  if (input.current != nullptr) input.probation_left = probation_.left(input.current->number);
  reporter_.set_status(stack_status_of(input));
}

std::vector<std::string> Reconciler::notices() const {
  std::vector<std::string> all = deps_.store.problems();
  if (!upkeep_.unmended().empty()) all.push_back(upkeep_.unmended());
  for (const Container& container : observation_.foreign) {
    std::string line = fmt::format(
        "the container {} has the label of the project {}, but was not created for this stack: it "
        "is left alone",
        container.name, project_);
    const auto& without = upkeep_.boots_without();
    if (container.is_counted && without && without->contains(container.service)) {
      line += fmt::format(
          "; as long as it exists, {} does not start {}, because Compose would take it for that "
          "service",
          deps_.settings.unit, container.service);
    }
    all.push_back(std::move(line));
  }
  for (const Container& container : observation_.own.containers) {
    const auto& of_release = observation_.of_release.containers;
    const bool is_of_release =
        std::any_of(of_release.begin(), of_release.end(),
                    [&](const Container& one) { return one.id == container.id; });
    if (is_of_release) continue;
    all.push_back(
        fmt::format("the container {} was created manually for a service that the release does not "
                    "have: it is left alone",
                    container.name));
  }
  if (const ReleaseRecord* const current = deps_.store.current()) {
    all.insert(all.end(), current->notices.begin(), current->notices.end());
    for (const PreflightFinding& finding : current->findings) all.push_back(finding.message);
  }
  return all;
}

}  // namespace trimtab
