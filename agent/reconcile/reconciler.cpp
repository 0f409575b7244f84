#include "agent/reconcile/reconciler.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/execute/own_containers.hpp"
#include "agent/reconcile/docker_return.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

constexpr auto file_interval = std::chrono::seconds(5);

}  // namespace

Reconciler::Reconciler(ReconcilerDeps deps)
    : deps_(std::move(deps)),
      renderings_(deps_.store),
      unit_keeper_(deps_.units, deps_.paths.unit_directory, deps_.settings.unit, deps_.store),
      workspace_(deps_.executor, std::move(deps_.git), deps_.store.directory(),
                 deps_.settings.directory),
      observer_(deps_.docker, deps_.settings, deps_.store, renderings_),
      reporter_(deps_.settings, deps_.store, deps_.events),
      upkeep_(candidate_deps(), renderings_, reporter_),
      wake_(deps_.executor),
      engine_changed_(deps_.executor),
      git_watcher_(deps_.executor, workspace_.remote(), deps_.settings.git.interval, facts_.tip,
                   [this](bool is_news) { on_facts_asked(is_news); }),
      image_watcher_(deps_.executor, deps_.registry, deps_.settings.images.interval, facts_.digests,
                     [this](bool is_news) { on_facts_asked(is_news); }) {
  const StackSettings& settings = deps_.settings;
  const Store& store = deps_.store;
  project_ = settings.project.empty() ? settings.name : settings.project;
  if (const ReleaseRecord* const current = store.current()) {
    project_ = current->project;
    image_watcher_.watch(watched_references(*current));
  }
  // A stack that is running, or being deployed for the first time, takes precedence over what other
  // stacks' commits claim; the projects in settings were claimed before.
  const ReleaseRecord* known = store.current();
  if (known == nullptr && store.in_flight()) known = store.find(store.in_flight()->release);
  if (known != nullptr) deps_.projects.claim(known->project, settings.name);
  for (const std::string& problem : store.problems()) {
    spdlog::warn("{}: {}", settings.name, problem);
  }
  flight_.resumes = store.in_flight().has_value();
  if (deps_.units != nullptr) {
    deps_.units->watch(settings.unit,
                       [this](const std::string& active) { on_unit_change(active); });
  }
}

CandidateDeps Reconciler::candidate_deps() {
  Platform host;
  if (const auto engine = deps_.engine.engine()) {
    host = platform_of_host(engine->os, engine->architecture);
  }
  return CandidateDeps{deps_.settings, deps_.registry, deps_.docker,
                       deps_.compose,  deps_.store,    std::move(host)};
}

Task<void> Reconciler::run() {
  while (!stop_requested_) {
    reporter_.beat();
    const Snapshot now = co_await take_snapshot();
    const Decision decision = decide(now);
    last_assessment_.verdict = decision.verdict;
    if (decision.is_retry) backoff_.retry_at.reset();
    if (decision.forgets_judgement) last_assessment_.key.clear();
    co_await perform(decision.action);
    // While a plan is made the releases are left alone until the next round.
    if (auto workspace = workspace_.try_lock()) {
      co_await upkeep_.keep_commits_anew(*workspace);
      co_await upkeep_.prune_releases(*workspace, !deps_.engine.error());
    }
    refresh_status();
    if (stop_requested_) break;
    co_await rest(decision.wake_at);
  }
}

Task<Snapshot> Reconciler::take_snapshot() {
  const Result<void> compose = co_await deps_.compose.refresh();
  // Before the unit may be started.
  if (!deps_.engine.error()) co_await upkeep_.keep_boot_files(observation_.foreign);
  co_await unit_keeper_.check(stack_unit(), !deps_.engine.error());
  const std::set<std::string> taken = services_taken_by(observation_.foreign);
  co_await observe();
  const bool is_still_so = services_taken_by(observation_.foreign) == taken;
  if (!is_still_so && !deps_.engine.error()) {
    co_await upkeep_.keep_boot_files(observation_.foreign);
  }
  Snapshot now;
  now.now = SteadyClock::now();
  now.stack = deps_.settings.name;
  now.is_ending = stop_requested_;
  now.docker_error = docker_error();
  if (!compose) now.compose_error = compose.error();
  now.has_known_compose = !deps_.compose.tool().version.empty();
  now.is_stopped = unit_keeper_.is_stopped();
  now.is_moving = unit_keeper_.is_moving();
  now.tip = facts_.tip.value;
  const Store& store = deps_.store;
  now.releases = &store.releases();
  now.current = store.current();
  if (store.in_flight()) now.commit_in_flight = store.find(store.in_flight()->release)->commit;
  now.is_paused = store.intent().paused;
  now.held_commit = store.intent().held_commit;
  flight_.was_cut = flight_.was_cut && (now.is_stopped || now.is_moving);
  now.was_cut = flight_.was_cut;
  now.is_to_resume = flight_.resumes;
  now.is_suspended = flight_.is_suspended;
  if (flight_.unrecorded) now.record_end_at = flight_.unrecorded->next_try;
  now.has_request = requests_.waiting().has_value();
  now.has_open_result = requests_.last() && requests_.last()->outcome == "in_progress";
  now.request_waits_for_images = requests_.is_waiting_for_images(now.tip);
  now.verdict = last_assessment_.verdict;
  now.retry_at = backoff_.retry_at;
  now.lacks_names = last_assessment_.lacks_names.has_value();
  now.goes_back_by_itself = deps_.settings.rollback == RollbackMode::automatic;
  now.is_rendering_to_mend =
      upkeep_.is_rendering_to_mend(now.tip ? now.tip->commit : std::string());
  now.has_renewed_files = upkeep_.find_renewed_files();
  const ProbationWatch::Check probation = check_probation();
  now.is_probation_over = probation.is_over;
  now.broken_on_probation = probation.broken;
  now.probation_look = probation_.next_poll_at();
  now.probation_end = probation_.end();
  check_inputs(&now);
  now.has_all_names = co_await has_all_names_now();
  co_return now;
}

// Returns early if something requests an evaluation, or if a file changes that the last evaluation
// has read.
Task<void> Reconciler::rest(SteadyClock::time_point until) {
  std::vector<std::filesystem::path> files;
  if (last_assessment_.evaluated) {
    files = input_paths(deps_.settings.directory, *last_assessment_.evaluated);
  }
  const auto stamp = [&files] { return stamp_of_files(files); };
  const std::string before = std::exchange(last_assessment_.file_stamp, stamp());
  if (before != last_assessment_.file_stamp && !before.empty()) co_return;
  while (SteadyClock::now() < until) {
    const bool woken =
        co_await wake_.wait_until(std::min(until, SteadyClock::now() + file_interval));
    if (woken || stamp() != last_assessment_.file_stamp) co_return;
  }
}

// --- acting

Task<void> Reconciler::perform(StackAction action) {
  return std::visit([this](auto chosen) { return perform(std::move(chosen)); }, std::move(action));
}

Task<void> Reconciler::perform(action::Rest) {
  co_return;
}

// An interrupted deployment may have started services after the unit's stop.
Task<void> Reconciler::perform(action::StopWhatWasStarted) {
  flight_.was_cut = unit_keeper_.is_moving();
  const auto found =
      co_await project_containers(deps_.docker, deps_.settings, deps_.store, project_);
  if (!found) co_return;
  const std::vector<Container> running =
      restarted_by_docker(observer_.of_release(*found), WallTime::max(), {});
  for (const Container& container : running) {
    reporter_.note(fmt::format("{} was started although {} stopped the stack: stopping it again",
                               container.service, deps_.settings.unit));
    const Result<void> stopped = co_await deps_.docker.stop(container.id);
    if (!stopped) spdlog::warn("{}: {}", deps_.settings.name, stopped.error().text());
  }
}

Task<void> Reconciler::perform(action::EndRequests) {
  const std::string why = deps_.settings.unit + " was stopped before it was done";
  if (requests_.waiting()) {
    const std::string id = requests_.waiting()->id;
    end_request(id, "failed", std::nullopt, why);
  }
  // Request of an interrupted deployment.
  if (!requests_.last() || requests_.last()->outcome != "in_progress") co_return;
  const RequestResult cut = *requests_.last();
  end_request(cut.id, "failed", cut.release,
              why + (flight_.resumes ? "; it resumes when the unit is started" : ""));
}

Task<void> Reconciler::perform(action::RecordEnd) {
  const Result<void> recorded = co_await flight_.unrecorded->executor->record_end();
  if (!recorded) {
    flight_.unrecorded->result.unrecorded = recorded.error();
    report_unrecorded();
    co_return;
  }
  const Unrecorded ended = *std::exchange(flight_.unrecorded, std::nullopt);
  co_await observe();
  on_deployment_ended(ended.result, ended.begun);
}

Task<void> Reconciler::perform(action::Resume) {
  backoff_.retry_at.reset();
  // A commit whose evaluation failed because of the host shared that retry time; it is evaluated
  // after this.
  last_assessment_.key.clear();
  flight_.resumes = false;
  flight_.is_suspended = false;
  if (!deps_.store.in_flight()) co_return;
  const Deployment found = *deps_.store.in_flight();
  reporter_.report(Milestone::resumed, spdlog::level::info,
                   fmt::format("resuming {}, found in phase {}", release_text(found.release),
                               to_string(found.phase)),
                   deps_.store.find(found.release));
  requests_.resume(found.request, found.release);
  AsyncMutex::Guard host = co_await wait_for_host();
  co_await run_deployment(found, true, std::move(host), {});
}

Task<void> Reconciler::perform(action::MendRendering) {
  WorkspaceLock workspace = co_await lock_workspace();
  const std::string tip = facts_.tip.value ? facts_.tip.value->commit : std::string();
  co_await upkeep_.mend_rendering(workspace, tip);
}

Task<void> Reconciler::perform(action::ServeRequest) {
  const Request request = requests_.take();
  co_await serve(request);
  requests_.finish_evaluation();
  // A deployment that the request found due is done after the newer request.
  if (requests_.is_superseded(request.id)) last_assessment_.key.clear();
}

Task<void> Reconciler::perform(action::ReloadRenewed) {
  co_await upkeep_.reload_renewed(observation_.own.containers);
}

Task<void> Reconciler::perform(action::AcceptCurrent) {
  const ReleaseRecord& current = *deps_.store.current();
  last_assessment_.evaluated = inputs_of(deps_.settings, current);
  last_assessment_.key = current.inputs_key;
  last_assessment_.verdict = StackStatus{StackState::synced, "", ""};
  co_return;
}

Task<void> Reconciler::perform(action::Evaluate action) {
  co_await consider(std::move(action.deploy_target));
}

// --- from outside

void Reconciler::request_stop() {
  stop_requested_ = true;
  if (deps_.units != nullptr) deps_.units->unwatch(deps_.settings.unit);
  if (flight_.executing) flight_.executing->request_stop();
  wake_.notify();
}

bool Reconciler::may_be_interrupted() const {
  return !flight_.executing || flight_.executing->may_be_interrupted();
}

void Reconciler::on_engine_event(const EngineEvent& event) {
  if (event.project != project_) return;
  probation_.on_event(event);
  engine_changed_.notify();
  if (!flight_.executing) wake_.notify();
}

void Reconciler::on_engine_change() {
  if (deps_.engine.error()) docker_return_.was_lost = true;
  probation_.on_engine_change();
  engine_changed_.notify();
  wake_.notify();
}

// Called after a watcher has polled: reports changes and, if there is news, wakes the round.
void Reconciler::on_facts_asked(bool is_news) {
  const bool is_remote_back = reporter_.facts(facts_, image_watcher_.watched());
  if (!is_news) return;
  // Failures that were due to the remote are retried immediately.
  if (is_remote_back && backoff_.retry_at) backoff_.retry_at = SteadyClock::now();
  engine_changed_.notify();
  wake_.notify();
}

void Reconciler::on_unit_change(const std::string& active) {
  // Somebody who stops the stack does not want a deployment to start it again.
  if (flight_.executing && (active == "deactivating" || active == "inactive")) {
    flight_.executing->request_stop();
  }
  wake_.notify();
}

Heartbeats Reconciler::heartbeats() const {
  return {reporter_.last_heartbeat(), is_queued_, git_watcher_.next_poll_at(),
          image_watcher_.next_poll_at()};
}

}  // namespace trimtab
