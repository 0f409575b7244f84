// Deploys what is due: records it as a release, runs the deployment when the host is free, and
// reports the result.
#include <fmt/core.h>

#include <algorithm>

#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/end_record.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/plan/diff.hpp"
#include "agent/reconcile/certificates.hpp"
#include "agent/reconcile/ending.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

// Interval between attempts to write what could not be written.
constexpr auto record_interval = std::chrono::seconds(5);

std::map<std::string, std::uint64_t> bytes_of(const std::vector<ImagePull>& pulls) {
  std::map<std::string, std::uint64_t> bytes;
  for (const ImagePull& pull : pulls) {
    if (pull.missing_bytes) bytes[pull.pinned] = *pull.missing_bytes;
  }
  return bytes;
}

// Whether nothing has been touched for this release, because the host prevented it or the daemon
// was killed before it began.
bool is_untried(const Store& store, const ReleaseRecord& release) {
  const bool is_in_flight = store.in_flight() && store.in_flight()->release == release.number;
  return release.outcome == Outcome::in_progress && !is_in_flight;
}

// Returns the untried release that differs only in its number. One that was to be rejected, when
// the daemon was killed, has no rendering.
std::optional<int> untried_number(const Store& store, const Release& release) {
  for (const auto& [number, known] : store.releases()) {
    const bool is_same = known.content_key == release.content_key &&
                         known.inputs_key == release.inputs_key && known.commit == release.commit &&
                         known.ref == release.ref && known.project == release.project &&
                         known.compose == release.compose;
    if (is_same && is_untried(store, known) && store.rendering(number)) return number;
  }
  return std::nullopt;
}

// Marks all other untried releases as superseded.
Task<Result<void>> give_up_untried(Store& store, int but_for) {
  for (const auto& [number, known] : store.releases()) {
    if (number == but_for || !is_untried(store, known)) continue;
    Deployment given_up;
    if (known.deployment != 0) given_up = store.deployments().at(known.deployment);
    if (known.deployment == 0) given_up.id = store.next_deployment();
    given_up.release = number;
    given_up.outcome = Outcome::superseded;
    given_up.ended_at = wall_now();
    const Result<void> saved = co_await store.save(given_up);
    if (!saved) co_return saved;
  }
  co_return Result<void>();
}

}  // namespace

Task<AsyncMutex::Guard> Reconciler::wait_for_host() {
  std::optional<AsyncMutex::Guard> free = deps_.deploy_lock.try_lock();
  if (free) co_return std::move(*free);
  const StackStatus before =
      std::exchange(last_assessment_.verdict,
                    StackStatus{StackState::waiting, "another stack of this host is being deployed",
                                "this one is next"});
  refresh_status();
  AsyncMutex::Guard host = co_await queue_for_host();
  last_assessment_.verdict = before;
  co_await observe();
  co_return host;
}

// While queued behind another stack's deployment this one makes no progress; the watchdog must not
// count that as a stall.
Task<AsyncMutex::Guard> Reconciler::queue_for_host() {
  is_queued_ = true;
  AsyncMutex::Guard holder = co_await deps_.deploy_lock.lock();
  is_queued_ = false;
  reporter_.beat();
  co_return holder;
}

// Likewise while a plan is made.
Task<WorkspaceLock> Reconciler::lock_workspace() {
  is_queued_ = true;
  WorkspaceLock holder = co_await workspace_.lock();
  is_queued_ = false;
  reporter_.beat();
  co_return holder;
}

Task<void> Reconciler::carry_out(DeployTarget deploy_target, Due due, AsyncMutex::Guard host) {
  if (requests_.is_superseded(deploy_target.request)) co_return;
  Store& store = deps_.store;
  const StackSettings& settings = deps_.settings;
  Candidate candidate = std::move(due.candidate);
  const ReleaseRecord* const good = release_to_go_back_to(store);
  Deployment next;
  next.previous = good == nullptr ? 0 : good->number;
  if (good != nullptr && good->content_key == candidate.release.content_key) {
    next.previous = good->previous;
  }
  next.cause = deploy_target.cause.empty() ? describe_cause(candidate.release, store.current())
                                           : deploy_target.cause;
  next.notices = std::move(candidate.notices);
  next.findings = std::move(due.preflight_report.findings);
  Release release = candidate.release;
  release.number = store.next_number();
  // An attempt that the host prevented is continued under its number.
  const std::optional<int> untried = untried_number(store, release);
  if (untried) release.number = *untried;
  Result<void> written = co_await give_up_untried(store, release.number);
  if (written && !untried) {
    std::string yaml = emit_yaml(candidate.rendering.model);
    written = co_await store.save_rendering(release.number, std::move(yaml));
  }
  if (written && !untried) {
    written = co_await store.save_inputs(release.number, std::move(candidate.input_bytes));
  }
  std::optional<WorkspaceLock> workspace;
  {
    WorkspaceLock held = co_await lock_workspace();
    workspace.emplace(std::move(held));
  }
  if (written && good != nullptr && good->commit != release.commit) {
    const Result<bool> ancestor =
        co_await workspace->git().is_ancestor(good->commit, release.commit);
    if (ancestor && !*ancestor && deploy_target.request.empty()) {
      next.notices.push_back(
          fmt::format("the history of {} was rewritten: {} is no longer part of it",
                      settings.git.ref, short_commit(good->commit)));
    }
  }
  if (written && settings.certs.self_signed_until_issued) {
    const auto made = provide_certificates(due.preflight_report.certificates, settings.directory);
    if (!made) written = made.error();
    if (made) next.notices.insert(next.notices.end(), made->begin(), made->end());
  }
  if (written) written = co_await workspace->git().keep(release.commit, release.number);
  workspace.reset();
  if (written && !untried) written = co_await store.save(release);
  if (!written) {
    try_later(deploy_target, written.error());
    co_return;
  }
  failpoint("release:saved");
  next.release = release.number;
  next.fallback = good == nullptr ? 0 : good->number;
  next.kind = due.kind;
  next.plan = std::move(due.plan);
  next.from = store.running();
  if (const ReleaseRecord* const current = store.current()) next.checkout = current->number;
  if (good != nullptr) {
    const Result<Rendering> before = renderings_.of(good->number);
    if (before) next.already_failing = failing_services(next.from, *before, observation_.own);
  }
  next.request = deploy_target.request;
  next.started_at = wall_now();
  co_await run_deployment(std::move(next), false, std::move(host),
                          bytes_of(due.preflight_report.pulls));
}

Task<void> Reconciler::run_deployment(Deployment deployment, bool resumed, AsyncMutex::Guard host,
                                      PullBytes bytes) {
  const AsyncMutex::Guard turn = std::move(host);
  Store& store = deps_.store;
  // Requests that operators made meanwhile take precedence.
  co_await unit_keeper_.check(stack_unit(), !deps_.engine.error());
  const bool paused = store.intent().paused && !resumed;
  if (stop_requested_ || unit_keeper_.is_stopped() || unit_keeper_.is_moving() || paused) {
    flight_.resumes = store.in_flight().has_value();
    last_assessment_.key.clear();
    if (!resumed) {
      end_request(deployment.request, "failed", std::nullopt, "stopped before anything was done");
    }
    co_return;
  }
  // A plan in progress ends soon; new requests for one are refused from now on.
  WorkspaceLock held = co_await lock_workspace();
  // Held until the end is recorded, which may be later.
  const auto workspace = std::make_shared<WorkspaceLock>(std::move(held));
  if (requests_.is_superseded(deployment.request)) co_return;
  if (!resumed) {
    const Result<void> given_up = co_await give_up_suspended();
    if (!given_up && deployment.kind == DeploymentKind::operator_rollback) {
      // Not retried: the operator is told why, and can repeat the request.
      end_request(deployment.request, "failed", std::nullopt, given_up.error().text());
      co_return;
    }
    if (!given_up) {
      DeployTarget waiting;
      waiting.request = deployment.request;
      try_later(waiting, given_up.error());
      co_return;
    }
  }
  requests_.finish_evaluation();
  Begun begun{deployment.release, deployment.kind, deployment.request, std::nullopt};
  const bool asked = !begun.request.empty();
  DeploymentDeps deps{deps_.settings, project_,    deps_.registry, deps_.docker,
                      deps_.compose,  deps_.store, reporter_,      engine_changed_};
  if (const ReleaseRecord* const release = store.find(begun.release)) project_ = release->project;
  RunnerCallbacks hooks;
  hooks.superseded = [this, asked](const Release& release) {
    return facts_.tip.value && facts_.tip.value->name == release.ref &&
           facts_.tip.value->commit != release.commit && deps_.store.intent().held_commit.empty() &&
           !asked;
  };
  hooks.paused = [this] { return deps_.store.intent().paused; };
  hooks.pull_bytes = std::move(bytes);
  hooks.values = known_values_of(store, {deployment.release, deployment.fallback});
  hooks.rerender_for_current_compose = [this, workspace](int release) {
    return rerender_for_current_compose(candidate_deps(), *workspace, release, true);
  };
  reporter_.deployment_begins(hooks.values);
  flight_.executing = std::make_unique<DeploymentRunner>(deps, std::move(hooks));
  const std::optional<DeploymentResult> result =
      co_await flight_.executing->run(*workspace, std::move(deployment), resumed);
  std::unique_ptr<DeploymentRunner> ended = std::move(flight_.executing);
  if (reporter_.deployment()) begun.gate_began = reporter_.deployment()->gate_began_at;
  reporter_.deployment_ends();
  upkeep_.forget_boot_files();
  if (!result) {
    // It was stopped between two phases, by the daemon's or the unit's stop.
    flight_.resumes = true;
    flight_.was_cut = true;
    co_return;
  }
  if (result->unrecorded) {
    flight_.unrecorded = Unrecorded{std::move(ended), *result, begun, {}, {}};
    report_unrecorded();
    co_return;
  }
  co_await observe();
  on_deployment_ended(*result, begun);
}

// Ends the suspended deployment, whose place another takes. Until that is recorded it remains to be
// resumed, and no other may begin: one of two in flight would never end.
Task<Result<void>> Reconciler::give_up_suspended() {
  if (!deps_.store.in_flight()) co_return Result<void>();
  Deployment suspended = *deps_.store.in_flight();
  const Result<void> written = co_await write_end(
      deps_.store, DeploymentEnd::failed, std::move(suspended), deps_.settings.gate.probation);
  if (!written) co_return written;
  flight_.is_suspended = false;
  flight_.resumes = false;
  co_return written;
}

void Reconciler::report_unrecorded() {
  Unrecorded& unrecorded = *flight_.unrecorded;
  const Error& error = *unrecorded.result.unrecorded;
  unrecorded.next_try = SteadyClock::now() + record_interval;
  // The verdict is left as it is: an end that does not change it leaves what was true before.
  const StackStatus before =
      std::exchange(unrecorded.status,
                    StackStatus{StackState::waiting,
                                fmt::format("how {} ended cannot be recorded: {}",
                                            release_text(unrecorded.begun.release), error.message),
                                (error.hint.empty() ? "" : error.hint + "; ") +
                                    "nothing else is deployed until it can be"});
  if (unrecorded.status == before) return;
  reporter_.report(Milestone::waiting, spdlog::level::err, unrecorded.status.reason,
                   deps_.store.find(unrecorded.begun.release));
}

void Reconciler::on_deployment_ended(const DeploymentResult& result, const Begun& begun) {
  // A deployment that touched nothing does not restart the current release's probation: crashes
  // during the deployment count.
  if (has_touched(result.end)) {
    probation_.on_deployment(deps_.store.current(), begun.gate_began,
                             deps_.settings.gate.probation);
  }
  if (result.end != DeploymentEnd::committed) upkeep_.check_images();
  const ReleaseRecord* const found = deps_.store.find(begun.release);
  if (found == nullptr) return;
  ReleaseRecord release = *found;
  // The record of a good release does not keep why it could not be restored, but the user is told.
  release.failure = result.failure;
  std::chrono::milliseconds next_try{0};
  if (is_tried_again(result.end, begun.kind, release.failure)) next_try = back_off();
  const Ending ending = ending_of(result.end, begun.kind, release, record(), next_try);
  if (ending.verdict) last_assessment_.verdict = *ending.verdict;
  if (result.end == DeploymentEnd::committed) {
    backoff_.failures = 0;
    last_assessment_.key = release.inputs_key;
    // One that was resumed has not been evaluated here.
    image_watcher_.watch(watched_references(release));
  }
  if (result.end == DeploymentEnd::superseded) last_assessment_.key.clear();
  if (result.end == DeploymentEnd::suspended) flight_.resumes = flight_.is_suspended = true;
  const bool is_fine =
      result.end == DeploymentEnd::committed || result.end == DeploymentEnd::superseded;
  reporter_.report(ending.milestone, is_fine ? spdlog::level::info : spdlog::level::warn,
                   ending.message, &release);
  reporter_.release_ended(release, release.failure, ending.message);
  end_request(begun.request, ending.outcome, begun.release, ending.message);
}

}  // namespace trimtab
