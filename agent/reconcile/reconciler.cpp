#include "agent/reconcile/reconciler.hpp"

#include <algorithm>

#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/boot_files.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/execute/own_containers.hpp"
#include "agent/execute/postgres.hpp"
#include "agent/execute/reloading.hpp"
#include "agent/model/service.hpp"
#include "agent/plan/diff.hpp"
#include "agent/plan/preflight/preflight.hpp"
#include "agent/plan/rolling.hpp"
#include "agent/reconcile/certificates.hpp"
#include "agent/reconcile/docker_return.hpp"
#include "agent/reconcile/host_disk.hpp"
#include "agent/reconcile/host_memory.hpp"
#include "agent/reconcile/host_names.hpp"
#include "agent/reconcile/host_ports.hpp"
#include "agent/reconcile/image_pulls.hpp"
#include "agent/reconcile/kept_images.hpp"
#include "agent/reconcile/next_wake.hpp"
#include "agent/reconcile/staging.hpp"
#include "agent/reconcile/state_directory.hpp"
#include "agent/reconcile/vain_tries.hpp"
#include "agent/record/rendering.hpp"
#include "agent/resolve/verdict.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr auto names_interval = std::chrono::seconds(3);
constexpr auto compose_interval = std::chrono::seconds(2);
constexpr auto renewal_interval = std::chrono::seconds(5);
constexpr auto file_interval = std::chrono::seconds(5);
constexpr auto certificates_interval = std::chrono::minutes(1);
constexpr auto volumes_interval = std::chrono::seconds(30);
constexpr std::string_view tag_prefix = "refs/tags/";

// Without Docker's word on what is there nothing can be found to be in order.
PreflightFinding docker_finding(const Error& error) {
  PreflightFinding finding;
  finding.name = "docker";
  finding.cls = FailureClass::world;
  finding.message = error.message;
  finding.hint = error.hint.empty() ? "`journalctl -u docker` may say more" : error.hint;
  return finding;
}

bool is_tracked_file(const Draft& draft, const fs::path& live, const std::string& path) {
  const std::string folder = live.string() + "/";
  return path.starts_with(folder) &&
         std::any_of(draft.tree.begin(), draft.tree.end(), [&](const TreeEntry& entry) {
           return entry.path == path.substr(folder.size());
         });
}

}  // namespace

Reconciler::Reconciler(ReconcilerParts parts)
    : executor_(parts.executor),
      settings_(std::move(parts.settings)),
      git_(std::move(parts.git)),
      registry_(parts.registry),
      docker_(parts.docker),
      engine_(parts.engine),
      compose_(parts.compose),
      units_(parts.units),
      paths_(std::move(parts.paths)),
      store_(std::move(parts.store)),
      unit_keeper_(units_, paths_.unit_directory, settings_.unit, store_),
      events_(parts.events),
      host_turn_(parts.host_turn),
      staging_turn_(executor_),
      projects_(parts.projects),
      wake_(executor_),
      engine_changed_(executor_),
      git_watcher_(executor_, *git_, settings_.git.interval, facts_.tip,
                   [this] { on_facts_asked(); }),
      image_watcher_(executor_, registry_, settings_.images.interval, facts_.digests,
                     [this] { on_facts_asked(); }) {
  project_ = settings_.project.empty() ? settings_.name : settings_.project;
  if (const Release* const current = store_.current()) {
    project_ = current->project;
    std::map<std::string, ImageReference> watched;
    for (const std::string& service : current->watched) {
      const auto pin = current->images.find(service);
      if (pin == current->images.end() || pin->second.local) continue;
      const Result<ImageReference> reference = parse_reference(pin->second.reference);
      if (reference) watched[pin->second.reference] = *reference;
    }
    image_watcher_.watch(std::move(watched));
  }
  // What runs already, or is being deployed for the first time, goes before what other stacks'
  // commits may say; what settings say is claimed before.
  const Release* known = store_.current();
  if (known == nullptr && store_.attempt()) known = store_.find(store_.attempt()->release);
  if (known != nullptr) projects_.claim(known->project, settings_.name);
  for (const std::string& problem : store_.problems()) {
    spdlog::warn("{}: {}", settings_.name, problem);
  }
  resumes_ = store_.attempt().has_value();
  if (units_ != nullptr) {
    units_->watch(settings_.unit, [this](const std::string& active) { on_unit_change(active); });
  }
}

DraftParts Reconciler::draft_parts() {
  return DraftParts{settings_, *git_, registry_, docker_, compose_, store_};
}

// --- the loop

Task<void> Reconciler::run() {
  while (!stop_requested_) {
    last_progress_ = SteadyClock::now();
    co_await round();
    co_await keep_commits_anew();
    co_await retire_releases();
    settle();
    if (stop_requested_) break;
    co_await rest(next_wake());
  }
}

// Ends early when something asks for a round, or when a file changes that the last look has read.
Task<void> Reconciler::rest(SteadyClock::time_point until) {
  const auto stamp = [this] {
    return evaluated_ ? stamp_of_files(settings_.directory, *evaluated_) : std::string();
  };
  const std::string before = std::exchange(file_stamp_, stamp());
  if (before != file_stamp_ && !before.empty()) co_return;
  while (SteadyClock::now() < until) {
    const bool woken =
        co_await wake_.wait_until(std::min(until, SteadyClock::now() + file_interval));
    if (woken || stamp() != file_stamp_) co_return;
  }
}

SteadyClock::time_point Reconciler::next_wake() const {
  WakeInput input;
  input.now = SteadyClock::now();
  const bool is_stopped = unit_keeper_.is_stopped() || unit_keeper_.is_moving();
  input.is_suspended =
      is_stopped || store_.intent().paused || engine_.error() || compose_.problem() || unrecorded_;
  input.goes_back_later = is_suspended_;
  input.retry_at = retry_at_;
  if (lacks_names_) input.names_at = input.now + names_interval;
  if (compose_.problem()) input.poll_at = input.now + compose_interval;
  if (unrecorded_ && !is_stopped) input.poll_at = unrecorded_->next_try;
  if (probation_) input.probation_look = probation_->next_look();
  if (probation_end_) input.probation_end = probation_end_->at;
  return trimtab::next_wake(input);
}

Task<std::vector<std::string>> Reconciler::keep_commits_anew() {
  std::vector<std::string> lines;
  std::string repaired = git_->take_repair_notice();
  if (repaired.empty()) co_return lines;
  lines.push_back(std::move(repaired));
  std::map<int, std::string> commits;
  for (const auto& [number, release] : store_.releases()) commits[number] = release.commit;
  std::vector<std::string> lost;
  for (const auto& [number, commit] : commits) {
    const Result<void> kept = co_await git_->keep(commit, number);
    if (!kept) lost.push_back(std::to_string(number) + " (" + short_commit(commit) + ")");
  }
  if (!lost.empty()) {
    lines.push_back("the commits of these releases are lost, since " + settings_.git.url +
                    " no longer has them; they cannot be gone back to: " + join(lost, ", "));
  }
  for (const std::string& line : lines) tell(Milestone::remark, spdlog::level::warn, line);
  co_return lines;
}

Task<void> Reconciler::retire_releases() {
  const Result<std::vector<int>> retired = store_.retire(settings_.keep);
  if (!retired) spdlog::warn("{}: {}", settings_.name, retired.error().text());
  if (!retired) co_return;
  for (const int number : *retired) {
    const Result<void> dropped = co_await git_->drop(number);
    if (!dropped) spdlog::warn("{}: {}", settings_.name, dropped.error().text());
  }
  images_are_tidy_ = images_are_tidy_ && retired->empty();
  if (images_are_tidy_ || engine_.error()) co_return;
  const auto tidy = co_await remove_retired_images(docker_, store_, settings_.name);
  if (!tidy) spdlog::warn("{}: {}", settings_.name, tidy.error().text());
  // What is in use for a moment longer is tried again in a later round.
  images_are_tidy_ = tidy && *tidy;
}

Task<Turn::Holder> Reconciler::wait_for_host() {
  std::optional<Turn::Holder> free = host_turn_.try_take();
  if (free) co_return std::move(*free);
  const Situation before = std::exchange(
      verdict_, Situation{StackState::waiting, "another stack of this host is being deployed",
                          "it is this one's turn after that"});
  settle();
  Turn::Holder host = co_await wait_for(host_turn_);
  verdict_ = before;
  co_await observe();
  co_return host;
}

// Another stack's deployment, for which this one waits, may take its time.
Task<Turn::Holder> Reconciler::wait_for(Turn& turn) {
  waits_for_turn_ = true;
  Turn::Holder holder = co_await turn.take();
  waits_for_turn_ = false;
  last_progress_ = SteadyClock::now();
  co_return holder;
}

void Reconciler::end_requests_of_stopped() {
  const std::string why = settings_.unit + " was stopped before it was done";
  if (request_) {
    const std::string id = std::exchange(request_, std::nullopt)->id;
    finish_request(id, "failed", std::nullopt, why);
  }
  // Of a deployment that was cut.
  if (!last_request_ || last_request_->outcome != "in_progress") return;
  const RequestResult cut = *last_request_;
  finish_request(cut.id, "failed", cut.release,
                 why + (resumes_ ? "; it goes on once the unit is started" : ""));
}

void Reconciler::request_stop() {
  stop_requested_ = true;
  if (units_ != nullptr) units_->unwatch(settings_.unit);
  if (executing_) executing_->request_stop();
  wake_.notify();
}

bool Reconciler::may_be_interrupted() const {
  return !executing_ || executing_->may_be_interrupted();
}

Task<void> Reconciler::recover() {
  resumes_ = false;
  is_suspended_ = false;
  if (!store_.attempt()) co_return;
  const Attempt found = *store_.attempt();
  tell(Milestone::resumed, spdlog::level::info,
       "goes on with " + release_text(found.release) + ", found in phase " +
           std::string(to_string(found.phase)),
       store_.find(found.release));
  if (!found.request.empty()) {
    last_request_ = RequestResult{found.request, "in_progress", found.release, ""};
  }
  Turn::Holder host = co_await wait_for_host();
  co_await attempt(found, true, std::move(host));
}

Task<bool> Reconciler::record_end() {
  if (!unrecorded_) co_return true;
  if (SteadyClock::now() < unrecorded_->next_try) co_return false;
  const Result<void> recorded = co_await unrecorded_->executor->record_end();
  if (!recorded) {
    unrecorded_->result.unrecorded = recorded.error();
    tell_unrecorded();
    co_return false;
  }
  const Unrecorded ended = *std::exchange(unrecorded_, std::nullopt);
  co_await observe();
  after(ended.result, ended.number, ended.request);
  co_return true;
}

Task<void> Reconciler::round() {
  const Result<void> compose = co_await compose_.look();
  co_await keep_boot_files();
  co_await unit_keeper_.look(stack_unit(), !engine_.error());
  co_await observe();
  co_await keep_boot_files();
  if (was_cut_ && unit_keeper_.is_stopped()) co_await stop_what_was_started();
  was_cut_ = was_cut_ && unit_keeper_.is_moving();
  if (unit_keeper_.is_stopped()) end_requests_of_stopped();
  if (unit_keeper_.is_stopped() || unit_keeper_.is_moving()) co_return;
  // What runs is not what the records say until then.
  const bool recorded = co_await record_end();
  if (!recorded) co_return;
  // A deployment that is begun without it fails and goes back, which fails too.
  if (!compose && (resumes_ || request_ || compose_.tool().version.empty())) {
    verdict_ = Situation{state_of(compose.error()), compose.error().message,
                         (compose.error().hint.empty() ? "" : compose.error().hint + "; ") +
                             "looked at again by itself"};
    co_return;
  }
  const bool due = retry_at_ && SteadyClock::now() >= *retry_at_;
  bool retry = due && !(is_suspended_ && engine_.error());
  if (resumes_ && (!is_suspended_ || retry)) {
    retry_at_.reset();
    co_await recover();
    co_return;
  }
  if (!store_.attempt()) co_await mend_current();
  if (!retry && lacks_names_) {
    retry = co_await has_all_names(docker_, lacks_names_->first, &lacks_names_->second);
  }
  if (retry) {
    retry_at_.reset();
    judged_key_.clear();
  }
  if (request_ && (retry || !request_waits())) {
    const Request request = *std::exchange(request_, std::nullopt);
    serving_ = request.id;
    co_await serve(request);
    serving_.clear();
    // What it found is due is done after the newer one.
    if (is_superseded(request.id)) judged_key_.clear();
    co_return;
  }
  if (store_.intent().paused || engine_.error()) co_return;
  co_await reload_renewed();
  bool went_back = false;
  if (!is_suspended_) went_back = co_await watch_probation();
  if (went_back || request_) co_return;
  if (!facts_.tip.value) co_return;
  // Only another commit is a reason not to go on going back.
  if (is_suspended_ && store_.attempt() &&
      store_.find(store_.attempt()->release)->commit == facts_.tip.value->commit) {
    co_return;
  }
  Goal goal;
  goal.retry = retry;
  goal.tip = *facts_.tip.value;
  if (goal.tip.commit == store_.intent().held_commit) {
    // Nothing is decided anew, as after a start.
    if (verdict_.state == StackState::starting) verdict_ = Situation{StackState::synced, "", ""};
    co_return;
  }
  if (const Release* const known = release_of_moved_tag(goal.tip)) {
    const std::string tag = goal.tip.name.substr(tag_prefix.size());
    judged_key_.clear();
    verdict_ =
        Situation{store_.current() == nullptr ? StackState::waiting : StackState::synced,
                  "the tag " + tag + " was moved from " + short_commit(known->commit) + " to " +
                      short_commit(goal.tip.commit) + ", which is not deployed by itself",
                  "`trimtab deploy " + settings_.name + "` deploys it; so does a newer tag"};
    co_return;
  }
  co_await consider(goal);
}

// Whether it is a deployment that waits for an image, until it is time to ask for it again. A newer
// commit need not wait.
bool Reconciler::request_waits() const {
  if (!request_ || request_->id != waiting_request_) return false;
  const bool newer =
      request_->commit.empty() && facts_.tip.value && facts_.tip.value->commit != waiting_commit_;
  return !newer;
}

// The newest release of the tag, if it was of another commit. A tag names one commit for good: one
// that moves is a mistake or worse, and a person decides.
const Release* Reconciler::release_of_moved_tag(const RefTip& tip) const {
  if (tip.name.rfind(tag_prefix, 0) != 0) return nullptr;
  const auto& releases = store_.releases();
  const auto newest = std::find_if(releases.rbegin(), releases.rend(),
                                   [&](const auto& entry) { return entry.second.ref == tip.name; });
  const bool moved = newest != releases.rend() && newest->second.commit != tip.commit;
  return moved ? &newest->second : nullptr;
}

std::vector<Container> Reconciler::of_release(const ProjectContainers& found) const {
  const Release* const current = store_.current();
  if (current == nullptr) return found.own;
  const Result<Rendering> rendering = rendering_of(current->number);
  return rendering ? without_hand_made_rest(found.own, found.signs, *rendering) : found.own;
}

// Gives whether anything was changed.
Task<bool> Reconciler::put_right_after_docker(std::vector<Container> containers) {
  bool changed = false;
  if (!unit_keeper_.is_stopped()) {
    if (!docker_was_lost_) co_return false;
    const std::vector<Container> down =
        left_down(containers, observed_.containers, store_.current());
    for (const Container& container : down) {
      remark(container.service + " did not come back with Docker: it is started");
      const Result<void> started = co_await docker_.restart(container.id);
      if (!started) spdlog::warn("{}: {}", settings_.name, started.error().text());
      changed = true;
    }
    co_return changed;
  }
  // At the daemon's own start, Docker may be long up, and people have started something since.
  WallTime until = WallTime::max();
  if (!docker_was_lost_) {
    const Result<UnitState> docker = co_await units_->state(docker_unit);
    if (!docker || docker->load != "loaded") co_return false;
    if (docker->active == "active") until = docker->active_since;
  }
  const std::vector<Container> back = brought_back(containers, until, started_while_stopped_);
  for (const Container& container : back) {
    remark(container.service + " was started by Docker in a stack that " + settings_.unit +
           " has stopped: it is stopped");
    const Result<void> stopped = co_await docker_.stop(container.id);
    if (!stopped) spdlog::warn("{}: {}", settings_.name, stopped.error().text());
    changed = true;
  }
  co_return changed;
}

// A deployment that the unit's stop has cut may have started services after that.
Task<void> Reconciler::stop_what_was_started() {
  const auto found = co_await project_containers(docker_, settings_, store_, project_);
  if (!found) co_return;
  const std::vector<Container> running = brought_back(of_release(*found), WallTime::max(), {});
  for (const Container& container : running) {
    remark(container.service + " was started while " + settings_.unit +
           " stopped the stack: it is stopped");
    const Result<void> stopped = co_await docker_.stop(container.id);
    if (!stopped) spdlog::warn("{}: {}", settings_.name, stopped.error().text());
  }
}

Task<void> Reconciler::observe() {
  auto found = co_await project_containers(docker_, settings_, store_, project_);
  if (!found) co_return;
  if ((docker_was_lost_ || is_first_look_) && !store_.intent().paused) {
    const bool changed = co_await put_right_after_docker(of_release(*found));
    if (changed) found = co_await project_containers(docker_, settings_, store_, project_);
    if (!found) co_return;
  }
  const std::vector<Container>* const containers = &found->own;
  docker_was_lost_ = false;
  is_first_look_ = is_first_look_ && unit_keeper_.is_moving();
  started_while_stopped_.clear();
  for (const Container& container : *containers) {
    const auto before =
        std::find_if(observed_.containers.begin(), observed_.containers.end(),
                     [&](const Container& known) { return known.service == container.service; });
    if (unit_keeper_.is_stopped() && container.state == ContainerState::running) {
      started_while_stopped_.insert(container.id);
    }
    const bool changed = before == observed_.containers.end() || before->state != container.state ||
                         before->health != container.health;
    if (!changed) continue;
    Json data;
    data["service"] = container.service;
    data["state"] = to_string(container.state);
    data["health"] = to_string(container.health);
    data["message"] = container.service + " " + std::string(to_string(container.state));
    events_.publish("service", settings_.name, std::move(data));
  }
  observed_.containers = found->own;
  observed_.at = wall_now();
  observed_of_release_.containers = of_release(*found);
  observed_of_release_.at = observed_.at;
  foreign_ = std::move(found->foreign);
  signs_ = std::move(found->signs);
  drift_.clear();
  const Release* const current = store_.current();
  co_await look_at_volumes(current);
  if (current == nullptr) co_return;
  const Result<Rendering> rendering = rendering_of(current->number);
  if (rendering) look_at_certificates(*rendering);
  if (store_.running().release != current->number) co_return;
  if (rendering) drift_ = trimtab::drift(store_.running(), *rendering, observed_of_release_);
}

// What the unit boots is not what it should be where an earlier trimtab has left it, where the
// release was rendered again, and where a foreign container came or went.
Task<void> Reconciler::keep_boot_files() {
  const Release* const current = store_.current();
  if (current == nullptr || engine_.error()) co_return;
  const bool is_kept =
      boots_without_ == services_taken_by(foreign_) && store_.has_boot_files(current->number);
  const Result<Rendering> rendering = is_kept ? Rendering() : rendering_of(current->number);
  if (is_kept || !rendering) co_return;
  const auto saved = co_await save_boot_files(docker_, settings_, store_, *rendering,
                                              current->number, current->jobs);
  if (saved) boots_without_ = *saved;
  if (!saved) spdlog::warn("{}: {}", settings_.name, saved.error().text());
}

Task<void> Reconciler::look_at_volumes(const Release* current) {
  std::vector<LostVolume> lost;
  if (current != nullptr && !current->seen.empty()) {
    const Result<Rendering> rendering = rendering_of(current->number);
    if (!rendering) co_return;
    // The Engine keeps what a container mounts, so that it need not be asked for that each time.
    std::set<std::string> present;
    for (const Container& container : observed_.containers) {
      for (const auto& [target, volume] : container.volumes) present.insert(volume);
    }
    lost = lost_volumes(*current, *rendering, present);
    const auto now = SteadyClock::now();
    if (!lost.empty() || !lost_volumes_.empty() || now >= volumes_until_) {
      volumes_until_ = now + volumes_interval;
      const auto all = co_await docker_.volumes();
      if (!all) co_return;
      lost = lost_volumes(*store_.current(), *rendering, *all);
    }
  }
  for (const LostVolume& one : lost) {
    if (std::find(lost_volumes_.begin(), lost_volumes_.end(), one) != lost_volumes_.end()) continue;
    tell(Milestone::failed, spdlog::level::err, one.text() + " (" + one.hint() + ")");
  }
  lost_volumes_ = std::move(lost);
}

void Reconciler::look_at_certificates(const Rendering& rendering) {
  const auto now = SteadyClock::now();
  if (now < certificates_until_) return;
  certificates_until_ = now + certificates_interval;
  certificates_ = find_certificates(rendering, settings_.directory, settings_.directory);
  if (!settings_.certs.self_signed_until_issued || store_.intent().paused) return;
  const auto made = provide_certificates(certificates_, settings_.directory);
  if (!made) spdlog::warn("{}: {}", settings_.name, made.error().text());
  if (!made || made->empty()) return;
  for (const std::string& line : *made) tell(Milestone::remark, spdlog::level::info, line);
  certificates_ = find_certificates(rendering, settings_.directory, settings_.directory);
}

Task<void> Reconciler::reload_renewed() {
  const Release* const current = store_.current();
  if (current == nullptr || SteadyClock::now() < renewed_until_) co_return;
  renewed_until_ = SteadyClock::now() + renewal_interval;
  const Result<Rendering> rendering = rendering_of(current->number);
  if (!rendering) co_return;
  const std::set<std::string> services =
      renewed_files_.look(*current, *rendering, settings_.directory);
  const std::vector<Container> containers = observed_.containers;
  for (const Container& container : containers) {
    if (!services.contains(container.service)) continue;
    const auto how = reload_of(rendering->service(container.service));
    if (!how || container.state != ContainerState::running) continue;
    const Result<void> reloaded = co_await reload_container(docker_, container, *how);
    if (reloaded) {
      tell(Milestone::remark, spdlog::level::info,
           container.service + " was reloaded: certificates or other files of it were renewed");
    } else {
      renewed_files_.was_not_reloaded(container.service);
      tell(Milestone::remark, spdlog::level::warn,
           "files that " + container.service + " mounts were renewed: " + reloaded.error().text());
    }
  }
}

Task<std::vector<std::string>> Reconciler::fit_memory(const Rendering* rendering, Plan* plan) {
  const std::vector<std::string> rolled = plan->with(Action::roll);
  const auto available = available_memory();
  if (!available) co_return std::vector<std::string>();
  std::map<std::string, std::uint64_t> used;
  const std::vector<Container> containers = observed_.containers;
  for (const Container& container : containers) {
    if (container.state != ContainerState::running) continue;
    if (std::find(rolled.begin(), rolled.end(), container.service) == rolled.end()) continue;
    const auto bytes = co_await docker_.memory_used(container.id);
    if (bytes) used[container.service] = std::max(used[container.service], *bytes);
  }
  co_return keep_within_memory(*plan, *rendering, observed_, used, *available);
}

Result<Rendering> Reconciler::rendering_of(int number) const {
  const Release* const release = store_.find(number);
  const std::string key = release == nullptr ? std::string() : release->content_key;
  if (!key.empty() && cached_key_ == key) return cached_rendering_;
  Result<Rendering> rendering = read_rendering(store_, number);
  if (!rendering) return rendering.error();
  cached_rendering_ = std::move(*rendering);
  cached_key_ = key;
  return cached_rendering_;
}

// The release that the next one goes back to if it fails: what ran well last.
const Release* Reconciler::release_to_go_back_to() const {
  const Release* const ran = store_.find(store_.running().release);
  if (ran != nullptr && ran->outcome == Outcome::good) return ran;
  const Release* const current = store_.current();
  if (current == nullptr || current->outcome == Outcome::good) return current;
  return store_.last_good_before(*current);
}

// --- deciding

// Another Compose than the one that rendered the current release writes the same project in
// another way, which must not look like a change. Of a release whose record is gone, or whose
// rendering is lost, nothing is known: plans apply what runs of it anew, and it keeps no other from
// being deployed.
Task<Result<void>> Reconciler::prepare_current() {
  std::set<int> numbers = releases_of(store_.running());
  if (const Release* const current = store_.current()) numbers.insert(current->number);
  for (const int number : numbers) {
    if (store_.find(number) == nullptr) continue;
    const Result<void> readable = co_await make_readable(draft_parts(), number, false);
    if (readable) continue;
    const bool lost = !compose_.problem() && is_lost(store_, number, readable.error());
    if (!lost) co_return readable;
  }
  co_return Result<void>();
}

Task<void> Reconciler::mend_current() {
  const Release* const current = store_.current();
  const Result<Rendering> rendering =
      current == nullptr ? Result<Rendering>(Rendering()) : rendering_of(current->number);
  if (rendering) {
    unmended_.clear();
    mend_tries_ = MendTries();
    co_return;
  }
  const std::string commit = facts_.tip.value ? facts_.tip.value->commit : std::string();
  const std::string what =
      std::to_string(current->number) + " " + commit + " " + compose_.tool().display();
  if (!mend_tries_.is_due(what, SteadyClock::now())) co_return;
  const Turn::Holder turn = co_await wait_for(staging_turn_);
  const int number = store_.current()->number;
  const Result<void> mended = co_await make_readable(draft_parts(), number, false);
  if (mended) {
    tell(Milestone::remark, spdlog::level::warn,
         rendering.error().text() + "; it was rendered again from its commit");
  } else if (unmended_.empty()) {
    tell(Milestone::failed, spdlog::level::err, mended.error().text());
  }
  unmended_ = mended ? std::string() : mended.error().text();
  if (!mended) mend_tries_.note_failure(what, SteadyClock::now(), random_jitter());
}

Task<void> Reconciler::consider(Goal goal) {
  std::optional<Decision> decision = co_await decide(goal);
  if (!decision) co_return;
  std::optional<Turn::Holder> host = host_turn_.try_take();
  if (host) {
    co_await carry_out(goal, std::move(*decision), std::move(*host));
    co_return;
  }
  // Until then what runs, what is wanted and what the host has may be another.
  decision.reset();
  Turn::Holder turn = co_await wait_for_host();
  judged_key_.clear();
  const bool newer = facts_.tip.value && facts_.tip.value->commit != goal.tip.commit;
  if (is_superseded(goal.request) || (goal.request.empty() && newer)) {
    wake_.notify();
    co_return;
  }
  decision = co_await decide(goal);
  if (decision) co_await carry_out(goal, std::move(*decision), std::move(turn));
}

Task<std::optional<Reconciler::Decision>> Reconciler::decide(Goal goal) {
  const Release* const current = store_.current();
  const Inputs of_current = current == nullptr ? Inputs{} : inputs_of(settings_, *current);
  if (!evaluated_) evaluated_ = of_current;
  const std::string key =
      inputs_key(present_inputs(settings_, goal.tip.commit, facts_, *evaluated_));
  const bool asked = !goal.request.empty();
  if (key == judged_key_ && !asked) co_return std::nullopt;
  const RunningSet& running = store_.running();
  const bool runs = current != nullptr && current->outcome == Outcome::good && running.is_whole() &&
                    running.release == current->number;
  if (runs && !asked &&
      current->inputs_key ==
          inputs_key(present_inputs(settings_, goal.tip.commit, facts_, of_current))) {
    evaluated_ = of_current;
    judged_key_ = current->inputs_key;
    verdict_ = Situation{StackState::synced, "", ""};
    co_return std::nullopt;
  }
  lacks_names_.reset();
  // A try that is repeated changes nothing of what people are told until it ends otherwise.
  if (!asked && !goal.retry)
    situate(StackState::checking, "looking at " + short_commit(goal.tip.commit), "");
  const Turn::Holder turn = co_await wait_for(staging_turn_);
  if (!goal.fetched) {
    const Result<std::string> fetched = co_await git_->fetch(goal.tip);
    if (!fetched) {
      try_later(goal, fetched.error());
      judged_key_ = key;
      co_return std::nullopt;
    }
    // It moved on since it was asked for, and what is newer than that answer must not give way to
    // it.
    if (facts_.tip.value == goal.tip && *fetched != goal.tip.commit) {
      facts_.tip.succeed({goal.tip.name, *fetched});
    }
    goal.tip.commit = *fetched;
  }
  const Result<void> prepared = co_await prepare_current();
  if (!prepared) {
    try_later(goal, prepared.error());
    judged_key_ = key;
    co_return std::nullopt;
  }
  DraftResult made = co_await make_draft(draft_parts(), goal.tip, &facts_);
  const std::vector<std::string> repaired = co_await keep_commits_anew();
  if (made.draft) {
    auto& notices = made.draft->release.notices;
    notices.insert(notices.end(), repaired.begin(), repaired.end());
  }
  evaluated_ = made.inputs;
  judged_key_ = inputs_key(made.inputs);
  if (made.world) {
    try_later(goal, *made.world);
    co_return std::nullopt;
  }
  if (made.rejected) {
    const Result<void> recorded =
        record_rejection(goal, std::move(made.release), {std::move(*made.rejected)});
    if (!recorded) try_later(goal, recorded.error());
    co_return std::nullopt;
  }
  image_watcher_.watch(made.draft->watched);
  if (!made.draft->missing_images.empty()) {
    wait_for_images(goal, made.draft->release, made.draft->missing_images);
    co_return std::nullopt;
  }
  waiting_commit_.clear();
  image_questions_ = 0;
  co_return co_await judge_draft(goal, std::move(*made.draft));
}

Task<std::optional<Reconciler::Decision>> Reconciler::judge_draft(Goal goal, Draft draft) {
  const Release* const current = store_.current();
  const Release* const good =
      current != nullptr && current->outcome == Outcome::good ? current : nullptr;
  Content content;
  content.commit = draft.release.commit;
  content.content_key = draft.release.content_key;
  const Verdict verdict = judge(content, good, store_.rejected(), goal.again);
  if (verdict == Verdict::held) {
    verdict_ = situation_of_held(draft.release);
    finish_request(goal.request, "rejected", std::nullopt, verdict_.reason);
    co_return std::nullopt;
  }
  const int vain = vain_tries(store_.releases(), draft.release.content_key, docker_back_at_);
  if (goal.request.empty() && vain >= max_vain_tries) {
    verdict_ = situation_of_vain(draft.release);
    co_return std::nullopt;
  }
  const bool repair = !goal.request.empty();
  Plan plan = make_plan(target_of(draft.release, draft.rendering), base_of_plans(),
                        observed_for(draft), repair);
  if (verdict == Verdict::nothing && plan.empty()) {
    verdict_ = Situation{StackState::synced, "", ""};
    world_failures_ = 0;
    if (current->inputs_key != draft.release.inputs_key) {
      Release known = *current;
      known.inputs_key = draft.release.inputs_key;
      known.inputs = draft.release.inputs;
      const Result<void> saved = store_.save(known);
      if (!saved) spdlog::warn("{}: {}", settings_.name, saved.error().text());
    }
    finish_request(goal.request, "nothing_to_do", current->number,
                   release_text(current->number) + " is what Git and the registry ask for");
    co_return std::nullopt;
  }
  projects_.claim(draft.release.project, settings_.name);
  Examination examination = co_await examine(&draft);
  if (has_errors(examination.findings)) {
    if (is_about_names(examination.findings)) {
      lacks_names_.emplace(draft.release.project, draft.rendering);
    }
    if (current == nullptr && settings_.project.empty()) projects_.release(settings_.name);
    const Result<void> recorded =
        record_rejection(goal, draft.release, std::move(examination.findings));
    if (!recorded) try_later(goal, recorded.error());
    co_return std::nullopt;
  }
  std::vector<std::string> stop_first = co_await fit_memory(&draft.rendering, &plan);
  draft.release.notices.insert(draft.release.notices.end(), stop_first.begin(), stop_first.end());
  const bool same = verdict == Verdict::record && plan.empty();
  Decision decision;
  decision.kind = same ? AttemptKind::record_only : AttemptKind::deploy;
  decision.draft = std::move(draft);
  decision.plan = std::move(plan);
  decision.examination = std::move(examination);
  co_return decision;
}

Base Reconciler::base_of_plans() const {
  Base base;
  base.running = store_.running();
  for (const int number : releases_of(base.running)) {
    const Release* const release = store_.find(number);
    const Result<Rendering> rendering = rendering_of(number);
    if (release != nullptr && rendering) {
      base.releases[number] = {*rendering, release->mounted_files};
    }
  }
  return base;
}

// Before the first release, the commit says which project is looked at.
Observed Reconciler::observed_for(const Draft& draft) const {
  const bool is_first = store_.current() == nullptr;
  Observed observed;
  observed.at = observed_.at;
  observed.containers =
      without_hand_made_rest(is_first ? draft.running.own : observed_.containers,
                             is_first ? draft.running.signs : signs_, draft.rendering);
  return observed;
}

Task<Reconciler::Examination> Reconciler::examine(const Draft* draft) {
  Examination examination;
  preflight::Input input;
  input.project = draft->release.project;
  input.directory = settings_.directory.string();
  input.next = &draft->rendering;
  const bool is_first = store_.current() == nullptr;
  input.is_first = is_first;
  Rendering current_rendering;
  for (const Release* known = store_.current(); known != nullptr && input.current == nullptr;
       known = store_.last_good_before(*known)) {
    Result<Rendering> rendering = rendering_of(known->number);
    if (!rendering) continue;
    current_rendering = std::move(*rendering);
    input.current = &current_rendering;
  }
  input.unset_variables = draft->unset_variables;
  input.dollar_values = draft->dollar_values;
  input.env_file = draft->env_file;
  input.built_images_missing = draft->built_images_missing;
  const std::vector<Container> running = is_first ? draft->running.own : observed_.containers;
  input.postgres = co_await postgres_majors(docker_, running, draft->release.images);
  auto all = co_await docker_.all_containers();
  if (all) {
    name_paths_as(settings_.directory, *all);
    input.all_containers = *all;
  }
  co_await look_up_names(docker_, &input);
  if (!all || !input.volumes) {
    const Error unknown{Errc::unavailable, "Docker does not tell which volumes there are", {}};
    examination.findings.push_back(docker_finding(all ? unknown : all.error()));
    co_return examination;
  }
  input.foreign = foreign_among(*all, is_first ? draft->running.signs : signs_);
  input.project_holder = projects_.other_holder(draft->release.project, settings_.name);
  for (const Release* ran = release_to_go_back_to(); ran != nullptr;
       ran = store_.last_good_before(*ran)) {
    const Result<Rendering> rendering = rendering_of(ran->number);
    if (!rendering) continue;
    input.lost_volumes = lost_volumes(*ran, *rendering, *input.volumes);
    break;
  }
  input.compose_files = draft->files;
  for (const Container& container : running) {
    // What trimtab has made, of which no record is left, was said by a commit, too.
    if (!is_first || maker_of(container, draft->running.signs) != Maker::hand) continue;
    input.running.push_back(container);
    for (const auto& [target, source] : container.bind_mounts) {
      if (is_tracked_file(*draft, settings_.directory, source)) input.tracked_files.insert(source);
    }
  }
  std::set<std::string> ports;
  std::error_code ec;
  const std::string live = settings_.directory.string();
  const fs::path checkout = staged_checkout(store_.staging(), settings_.directory);
  for (const std::string& name : draft->rendering.service_names()) {
    const Json& service = draft->rendering.service(name);
    for (const PublishedPort& port : published_ports_of(service)) {
      ports.insert(port.protocol + "/" + std::to_string(port.host_port));
    }
    for (const Mount& mount : mounts_of(service)) {
      if (mount.type != "bind") continue;
      const bool below = mount.source.rfind(live + "/", 0) == 0;
      const std::string inside = below ? mount.source.substr(live.size() + 1) : std::string();
      // What Git does not track is as it is, of the rest what the commit has.
      const bool as_it_is = !below || is_untracked(draft->tracked_live, inside);
      const bool exists = (as_it_is && fs::exists(mount.source, ec)) ||
                          (below && fs::exists(checkout / inside, ec));
      if (mount.source != live && !exists) input.missing_sources.insert(mount.source);
    }
  }
  const fs::path state = fs::weakly_canonical(store_.directory().parent_path(), ec);
  for (const auto& [path, who] : host_paths(draft->rendering.model)) {
    if (shows_state(real_source(path, settings_.directory, checkout), state)) {
      input.shown_state[path] = who;
    }
  }
  input.port_holders = port_holders(ports);
  const Release* const current = store_.current();
  const std::string from = current == nullptr ? std::string() : current->commit;
  const auto collisions =
      co_await git_->collisions(settings_.directory, from, draft->release.commit);
  if (collisions) input.collisions = *collisions;
  Platform host;
  if (const auto& engine = engine_.engine()) {
    host = platform_of_host(engine->os, engine->architecture);
    input.image_directory = engine->root_directory;
    input.free_bytes = free_bytes(engine->root_directory);
  }
  PullForecast forecast =
      co_await forecast_pulls(docker_, registry_, host, draft->release, current);
  input.pulls = forecast.pulls;
  input.certificates = find_certificates(draft->rendering, settings_.directory, checkout);
  input.self_signed_until_issued = settings_.certs.self_signed_until_issued;
  input.now = wall_now();
  input.gate_timeout = settings_.gate.timeout;
  for (const auto& [service, pin] : draft->release.images) {
    const Result<Image> image = co_await docker_.image(pin.pinned);
    if (image && image->health_check) input.image_health_checks[service] = *image->health_check;
  }
  if (input.self_signed_until_issued) {
    // Their folder comes with them.
    for (const ServerCertificateFile& file : input.certificates) {
      if (!file.missing || !file.may_be_made) continue;
      std::erase_if(input.missing_sources, [&](const std::string& source) {
        return (file.certificate + "/").starts_with(source + "/") ||
               (file.key + "/").starts_with(source + "/");
      });
    }
  }
  examination.certificates = input.certificates;
  examination.findings = std::move(forecast.findings);
  for (PreflightFinding& finding : preflight::check(input)) {
    examination.findings.push_back(std::move(finding));
  }
  examination.pulls = std::move(forecast.pulls);
  examination.free_bytes = input.free_bytes;
  co_return examination;
}

std::string Reconciler::describe_cause(const Draft& draft) const {
  const Release* const current = store_.current();
  if (current == nullptr) return "first deployment";
  if (current->commit != draft.release.commit) {
    return "push " + short_commit(draft.release.commit);
  }
  for (const auto& [service, pin] : draft.release.images) {
    const auto old = current->images.find(service);
    if (old != current->images.end() && old->second.pinned != pin.pinned) {
      return "image " + pin.reference + " changed";
    }
  }
  for (const auto& [path, hash] : draft.release.inputs) {
    const auto old = current->inputs.find(path);
    if (old != current->inputs.end() && old->second != hash) return path + " changed";
  }
  return "settings changed";
}

// --- acting

Task<void> Reconciler::carry_out(Goal goal, Decision decision, Turn::Holder host) {
  if (is_superseded(goal.request)) co_return;
  Draft draft = std::move(decision.draft);
  Examination examination = std::move(decision.examination);
  const Release* const good = release_to_go_back_to();
  Release release = draft.release;
  release.number = store_.next_number();
  release.previous = good == nullptr ? 0 : good->number;
  if (good != nullptr && good->content_key == release.content_key) {
    release.previous = good->previous;
  }
  // A try that the world prevented, or a kill before it began, goes on under its number.
  Result<void> written;
  const std::map<int, Release> releases = store_.releases();
  for (const auto& [number, known] : releases) {
    if (known.outcome != Outcome::in_progress) continue;
    if (known.content_key == release.content_key && known.commit == release.commit) {
      release.number = number;
      release.timeline = known.timeline;
      release.tries = known.tries;
    } else if (written) {
      Release given_up = known;
      given_up.outcome = Outcome::superseded;
      written = store_.save(given_up);
    }
  }
  ++release.tries;
  release.cause = goal.cause.empty() ? describe_cause(draft) : goal.cause;
  release.plan = decision.plan;
  release.findings = std::move(examination.findings);
  pull_bytes_.clear();
  for (const ImagePull& pull : examination.pulls) {
    if (pull.missing_bytes) pull_bytes_[pull.pinned] = *pull.missing_bytes;
  }
  if (written) {
    written = store_.save_rendering(release.number, emit_yaml(draft.rendering.model));
  }
  for (const auto& [path, bytes] : draft.input_bytes) {
    if (written) written = store_.save_input(release.number, path, bytes);
  }
  if (written && good != nullptr && good->commit != release.commit) {
    const Result<bool> ancestor = co_await git_->is_ancestor(good->commit, release.commit);
    if (ancestor && !*ancestor && goal.request.empty()) {
      release.notices.push_back("the history of " + settings_.git.ref + " was rewritten: " +
                                short_commit(good->commit) + " is no longer part of it");
    }
  }
  if (written && settings_.certs.self_signed_until_issued) {
    const auto made = provide_certificates(examination.certificates, settings_.directory);
    if (!made) written = made.error();
    if (made) release.notices.insert(release.notices.end(), made->begin(), made->end());
  }
  if (written) written = co_await git_->keep(release.commit, release.number);
  if (written) written = store_.save(release);
  if (!written) {
    try_later(goal, written.error());
    co_return;
  }
  failpoint("release:saved");
  Attempt next;
  next.release = release.number;
  next.fallback = good == nullptr ? 0 : good->number;
  next.kind = decision.kind;
  next.plan = std::move(decision.plan);
  next.from = store_.running();
  if (const Release* const current = store_.current()) next.checkout = current->number;
  if (good != nullptr) {
    const Result<Rendering> before = rendering_of(good->number);
    if (before) next.unwell = unwell_services(next.from, *before, observed_);
  }
  next.request = goal.request;
  next.started_at = wall_now();
  co_await attempt(std::move(next), false, std::move(host));
}

Task<void> Reconciler::attempt(Attempt attempt, bool resumed, Turn::Holder host) {
  const Turn::Holder turn = std::move(host);
  // What an operator has asked for meanwhile comes first.
  co_await unit_keeper_.look(stack_unit(), !engine_.error());
  const bool paused = store_.intent().paused && !resumed;
  if (stop_requested_ || unit_keeper_.is_stopped() || unit_keeper_.is_moving() || paused) {
    resumes_ = store_.attempt().has_value();
    judged_key_.clear();
    if (!resumed) {
      finish_request(attempt.request, "failed", std::nullopt, "stopped before anything was done");
    }
    co_return;
  }
  // A preview that is being made ends soon; one that is asked for from now on is refused.
  const Turn::Holder staging = co_await wait_for(staging_turn_);
  if (is_superseded(attempt.request)) co_return;
  serving_.clear();
  const int number = attempt.release;
  const std::string request = attempt.request;
  const bool asked = !request.empty();
  ExecutorParts parts{settings_, project_, *git_, registry_,      docker_,
                      compose_,  store_,   *this, engine_changed_};
  if (const Release* const release = store_.find(number)) project_ = release->project;
  ExecutorHooks hooks;
  hooks.superseded = [this, asked](const Release& release) {
    return facts_.tip.value && facts_.tip.value->name == release.ref &&
           facts_.tip.value->commit != release.commit && store_.intent().held_commit.empty() &&
           !asked;
  };
  hooks.pull_bytes = pull_bytes_;
  known_values_ = known_values_of(store_, {attempt.release, attempt.fallback});
  hooks.values = known_values_;
  hooks.make_readable = [this](int release) { return make_readable(draft_parts(), release, true); };
  executing_ = std::make_unique<Executor>(parts, std::move(hooks));
  if (!resumed && store_.attempt()) {
    is_suspended_ = false;
    resumes_ = false;
    const Result<void> given_up = executing_->give_up(*store_.attempt());
    if (!given_up) spdlog::warn("{}: {}", settings_.name, given_up.error().text());
  }
  const std::optional<AttemptResult> result = co_await executing_->run(std::move(attempt), resumed);
  std::unique_ptr<Executor> ended = std::move(executing_);
  attempt_view_.reset();
  boots_without_.reset();
  if (!result) {
    // It was stopped between two phases, by the daemon's end or the unit's stop.
    resumes_ = true;
    was_cut_ = true;
    co_return;
  }
  if (result->unrecorded) {
    unrecorded_ = Unrecorded{std::move(ended), *result, number, request};
    tell_unrecorded();
    co_return;
  }
  co_await observe();
  after(*result, number, request);
}

}  // namespace trimtab
