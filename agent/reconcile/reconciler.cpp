#include "agent/reconcile/reconciler.hpp"

#include <algorithm>

#include "agent/execute/own_containers.hpp"
#include "agent/reconcile/docker_return.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

constexpr auto file_interval = std::chrono::seconds(5);

std::map<std::string, ImageReference> watched_of(const Release& release) {
  std::map<std::string, ImageReference> watched;
  for (const std::string& service : release.watched) {
    const auto pin = release.images.find(service);
    if (pin == release.images.end() || pin->second.local) continue;
    const Result<ImageReference> reference = parse_reference(pin->second.reference);
    if (reference) watched[pin->second.reference] = *reference;
  }
  return watched;
}

}  // namespace

Reconciler::Reconciler(ReconcilerParts parts)
    : parts_(std::move(parts)),
      renderings_(parts_.store),
      unit_keeper_(parts_.units, parts_.paths.unit_directory, parts_.settings.unit, parts_.store),
      staging_turn_(parts_.executor),
      observer_(parts_.docker, parts_.settings, parts_.store, renderings_),
      reporter_(parts_.settings, parts_.store, parts_.events),
      upkeep_(draft_parts(), renderings_, reporter_),
      wake_(parts_.executor),
      engine_changed_(parts_.executor),
      git_watcher_(parts_.executor, *parts_.git, parts_.settings.git.interval, facts_.tip,
                   [this] { on_facts_asked(); }),
      image_watcher_(parts_.executor, parts_.registry, parts_.settings.images.interval,
                     facts_.digests, [this] { on_facts_asked(); }) {
  const StackSettings& settings = parts_.settings;
  const Store& store = parts_.store;
  project_ = settings.project.empty() ? settings.name : settings.project;
  if (const ReleaseRecord* const current = store.current()) {
    project_ = current->project;
    image_watcher_.watch(watched_of(*current));
  }
  // What runs already, or is being deployed for the first time, goes before what other stacks'
  // commits may say; what settings say is claimed before.
  const ReleaseRecord* known = store.current();
  if (known == nullptr && store.attempt()) known = store.find(store.attempt()->release);
  if (known != nullptr) parts_.projects.claim(known->project, settings.name);
  for (const std::string& problem : store.problems()) {
    spdlog::warn("{}: {}", settings.name, problem);
  }
  flight_.resumes = store.attempt().has_value();
  if (parts_.units != nullptr) {
    parts_.units->watch(settings.unit,
                        [this](const std::string& active) { on_unit_change(active); });
  }
}

DraftParts Reconciler::draft_parts() {
  return DraftParts{parts_.settings, *parts_.git,    parts_.registry,
                    parts_.docker,   parts_.compose, parts_.store};
}

Task<void> Reconciler::run() {
  while (!stop_requested_) {
    reporter_.show_sign();
    const Snapshot now = co_await look();
    const Decision decision = decide(now);
    judged_.verdict = decision.verdict;
    if (decision.is_retry) backoff_.retry_at.reset();
    if (decision.forgets_judgement) judged_.key.clear();
    co_await perform(decision.action);
    co_await upkeep_.keep_commits_anew();
    co_await upkeep_.retire_releases(!parts_.engine.error());
    settle();
    if (stop_requested_) break;
    co_await rest(decision.wake_at);
  }
}

Task<Snapshot> Reconciler::look() {
  const Result<void> compose = co_await parts_.compose.look();
  // Before the unit may be started.
  if (!parts_.engine.error()) co_await upkeep_.keep_boot_files(observation_.foreign);
  co_await unit_keeper_.look(stack_unit(), !parts_.engine.error());
  co_await observe();
  if (!parts_.engine.error()) co_await upkeep_.keep_boot_files(observation_.foreign);
  Snapshot now;
  now.now = SteadyClock::now();
  now.stack = parts_.settings.name;
  now.is_ending = stop_requested_;
  now.docker_error = docker_error();
  if (!compose) now.compose_error = compose.error();
  now.has_known_compose = !parts_.compose.tool().version.empty();
  now.is_stopped = unit_keeper_.is_stopped();
  now.is_moving = unit_keeper_.is_moving();
  now.tip = facts_.tip.value;
  const Store& store = parts_.store;
  now.releases = &store.releases();
  now.current = store.current();
  if (store.attempt()) now.commit_of_attempt = store.find(store.attempt()->release)->commit;
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
  now.verdict = judged_.verdict;
  now.retry_at = backoff_.retry_at;
  now.lacks_names = judged_.lacks_names.has_value();
  now.goes_back_by_itself = parts_.settings.rollback == RollbackMode::automatic;
  now.is_rendering_to_mend =
      upkeep_.is_rendering_to_mend(now.tip ? now.tip->commit : std::string());
  now.has_renewed_files = upkeep_.look_for_renewed_files();
  const ProbationWatch::Look probation = look_at_probation();
  now.is_probation_over = probation.is_over;
  now.broken_on_probation = probation.broken;
  now.probation_look = probation_.next_look();
  now.probation_end = probation_.end();
  look_at_inputs(&now);
  now.has_all_names = co_await has_all_names_now();
  co_return now;
}

// Ends early when something asks for a look, or when a file changes that the last evaluation has
// read.
Task<void> Reconciler::rest(SteadyClock::time_point until) {
  const auto stamp = [this] {
    return judged_.evaluated ? stamp_of_files(parts_.settings.directory, *judged_.evaluated)
                             : std::string();
  };
  const std::string before = std::exchange(judged_.file_stamp, stamp());
  if (before != judged_.file_stamp && !before.empty()) co_return;
  while (SteadyClock::now() < until) {
    const bool woken =
        co_await wake_.wait_until(std::min(until, SteadyClock::now() + file_interval));
    if (woken || stamp() != judged_.file_stamp) co_return;
  }
}

// --- acting

Task<void> Reconciler::perform(StackAction action) {
  return std::visit([this](auto chosen) { return perform(std::move(chosen)); }, std::move(action));
}

Task<void> Reconciler::perform(action::Rest) {
  co_return;
}

// A deployment that the unit's stop has cut may have started services after that.
Task<void> Reconciler::perform(action::StopWhatWasStarted) {
  flight_.was_cut = unit_keeper_.is_moving();
  const auto found =
      co_await project_containers(parts_.docker, parts_.settings, parts_.store, project_);
  if (!found) co_return;
  const std::vector<Container> running =
      brought_back(observer_.of_release(*found), WallTime::max(), {});
  for (const Container& container : running) {
    reporter_.remark(container.service + " was started while " + parts_.settings.unit +
                     " stopped the stack: it is stopped");
    const Result<void> stopped = co_await parts_.docker.stop(container.id);
    if (!stopped) spdlog::warn("{}: {}", parts_.settings.name, stopped.error().text());
  }
}

Task<void> Reconciler::perform(action::EndRequests) {
  const std::string why = parts_.settings.unit + " was stopped before it was done";
  if (requests_.waiting()) {
    const std::string id = requests_.waiting()->id;
    end_request(id, "failed", std::nullopt, why);
  }
  // Of a deployment that was cut.
  if (!requests_.last() || requests_.last()->outcome != "in_progress") co_return;
  const RequestResult cut = *requests_.last();
  end_request(cut.id, "failed", cut.release,
              why + (flight_.resumes ? "; it goes on once the unit is started" : ""));
}

Task<void> Reconciler::perform(action::RecordEnd) {
  const Result<void> recorded = co_await flight_.unrecorded->executor->record_end();
  if (!recorded) {
    flight_.unrecorded->result.unrecorded = recorded.error();
    tell_unrecorded();
    co_return;
  }
  const Unrecorded ended = *std::exchange(flight_.unrecorded, std::nullopt);
  co_await observe();
  after(ended.result, ended.begun);
}

Task<void> Reconciler::perform(action::Resume) {
  backoff_.retry_at.reset();
  // A commit whose look failed for the host's sake shared that time, and is looked at after this.
  judged_.key.clear();
  flight_.resumes = false;
  flight_.is_suspended = false;
  if (!parts_.store.attempt()) co_return;
  const Attempt found = *parts_.store.attempt();
  reporter_.tell(Milestone::resumed, spdlog::level::info,
                 "goes on with " + release_text(found.release) + ", found in phase " +
                     std::string(to_string(found.phase)),
                 parts_.store.find(found.release));
  requests_.resume(found.request, found.release);
  Turn::Holder host = co_await wait_for_host();
  co_await attempt(found, true, std::move(host), {});
}

Task<void> Reconciler::perform(action::MendRendering) {
  const Turn::Holder turn = co_await wait_for(staging_turn_);
  const std::string tip = facts_.tip.value ? facts_.tip.value->commit : std::string();
  co_await upkeep_.mend_rendering(tip);
}

Task<void> Reconciler::perform(action::ServeRequest) {
  const Request request = requests_.take();
  co_await serve(request);
  requests_.let_go();
  // What it found is due is done after the newer one.
  if (requests_.is_superseded(request.id)) judged_.key.clear();
}

Task<void> Reconciler::perform(action::ReloadRenewed) {
  co_await upkeep_.reload_renewed(observation_.own.containers);
}

Task<void> Reconciler::perform(action::AcceptCurrent) {
  const ReleaseRecord& current = *parts_.store.current();
  judged_.evaluated = inputs_of(parts_.settings, current);
  judged_.key = current.inputs_key;
  judged_.verdict = Situation{StackState::synced, "", ""};
  co_return;
}

Task<void> Reconciler::perform(action::Evaluate action) {
  co_await consider(std::move(action.goal));
}

// --- from outside

void Reconciler::request_stop() {
  stop_requested_ = true;
  if (parts_.units != nullptr) parts_.units->unwatch(parts_.settings.unit);
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
  if (parts_.engine.error()) docker_return_.was_lost = true;
  probation_.on_engine_change();
  engine_changed_.notify();
  wake_.notify();
}

// A watcher has asked: tells what is new and has it looked at.
void Reconciler::on_facts_asked() {
  const bool is_remote_back = reporter_.facts(facts_, image_watcher_.watched());
  // What failed because of it need not wait out its interval.
  if (is_remote_back && backoff_.retry_at) backoff_.retry_at = SteadyClock::now();
  engine_changed_.notify();
  wake_.notify();
}

void Reconciler::on_unit_change(const std::string& active) {
  // Whoever stops the stack does not want a deployment to start it again.
  if (flight_.executing && (active == "deactivating" || active == "inactive")) {
    flight_.executing->request_stop();
  }
  wake_.notify();
}

SignsOfLife Reconciler::signs_of_life() const {
  return {reporter_.last_sign(), waits_for_turn_, git_watcher_.next_look(),
          image_watcher_.next_look()};
}

}  // namespace trimtab
