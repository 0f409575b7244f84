// Handles operators' requests to a stack.

#include <fmt/core.h>

#include "agent/execute/known_volumes.hpp"
#include "agent/plan/diff.hpp"
#include "agent/reconcile/admission.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "agent/record/rendering.hpp"
#include "common/log.hpp"
#include "common/random.hpp"

namespace trimtab {
// --- operators

Result<std::string> Reconciler::enqueue(Request request) {
  AdmissionInput input;
  input.stack = deps_.settings.name;
  input.unit = deps_.settings.unit;
  input.is_paused = deps_.store.intent().paused;
  input.is_stopped = unit_keeper_.is_stopped();
  input.is_deploying = flight_.executing != nullptr;
  input.has_open_request = !requests_.open().empty();
  const Result<Admission> admission = admit(input);
  if (!admission) return admission.error();
  const std::optional<RequestResult> superseded = requests_.supersede();
  if (superseded) reporter_.request_ended(*superseded);
  const std::string id = requests_.add(std::move(request));
  wake_.notify();
  return id;
}

Result<std::string> Reconciler::deploy(std::string commit) {
  Request request;
  request.kind = Request::Kind::deploy;
  request.commit = std::move(commit);
  return enqueue(std::move(request));
}

Result<std::string> Reconciler::rollback(int release) {
  const ReleaseRecord* const current = deps_.store.current();
  if (current == nullptr) {
    return Error{Errc::conflict, deps_.settings.name + " has no release yet", {}};
  }
  Request request;
  request.kind = Request::Kind::rollback;
  request.is_named = release != 0;
  if (release == 0) {
    const ReleaseRecord* const good = deps_.store.last_good_before(*current);
    if (good == nullptr) {
      return Error{Errc::conflict,
                   deps_.settings.name + " has no earlier good release to roll back to",
                   fmt::format("`trimtab history {}` shows what there is", deps_.settings.name)};
    }
    release = good->number;
  }
  const ReleaseRecord* const target = deps_.store.find(release);
  if (target == nullptr) {
    return Error{Errc::not_found,
                 fmt::format("{} has no {}", deps_.settings.name, release_text(release)),
                 fmt::format("`trimtab history {}` shows what there is", deps_.settings.name)};
  }
  if (target->seen.empty()) {
    return Error{Errc::conflict, release_text(release) + " has never been good",
                 "choose a release whose outcome is good"};
  }
  if (target->number == current->number) {
    return Error{Errc::conflict, release_text(release) + " is the current one", {}};
  }
  request.release = release;
  return enqueue(std::move(request));
}

// For what operators say now, in place of what they said if that could not be read. The unit of a
// release that has run was brought up once, so that its state is left as it is.
void Reconciler::make_known(Intent* intent) const {
  if (!std::exchange(intent->is_unknown, false)) return;
  const ReleaseRecord* const current = deps_.store.current();
  if (current != nullptr && !current->seen.empty()) intent->unit = deps_.settings.unit;
}

Task<Result<std::string>> Reconciler::pause(std::string why) {
  if (requests_.waiting()) {
    const std::string id = requests_.waiting()->id;
    end_request(id, "failed", std::nullopt, deps_.settings.name + " was paused before it was done");
  }
  const std::function<void(Intent&)> note = [&](Intent& intent) {
    make_known(&intent);
    intent.paused = true;
    intent.paused_why = printable(why);
    intent.paused_at = wall_now();
  };
  const Result<void> saved = co_await deps_.store.change_intent(note);
  if (!saved) co_return saved.error();
  engine_changed_.notify();
  const std::string id = new_request_id();
  refresh_status();
  end_request(id, "done", std::nullopt, deps_.settings.name + " is paused");
  co_return id;
}

Task<Result<std::string>> Reconciler::resume() {
  const Result<void> accepted = co_await deps_.store.accept_rejected();
  if (!accepted) co_return accepted.error();
  const std::function<void(Intent&)> note = [this](Intent& intent) {
    make_known(&intent);
    intent.paused = false;
    intent.paused_why.clear();
  };
  const Result<void> saved = co_await deps_.store.change_intent(note);
  if (!saved) co_return saved.error();
  const std::string id = new_request_id();
  check();
  refresh_status();
  end_request(id, "done", std::nullopt, deps_.settings.name + " is active again");
  co_return id;
}

std::string Reconciler::check() {
  last_assessment_.key.clear();
  if (flight_.is_suspended) backoff_.retry_at = SteadyClock::now();
  git_watcher_.poll_now();
  image_watcher_.poll_now();
  wake_.notify();
  return new_request_id();
}

void Reconciler::poll_now() {
  git_watcher_.poll_now();
  image_watcher_.poll_now();
  if (image_wait_.commit.empty() || !backoff_.retry_at) return;
  // The push may be the missing image.
  backoff_.retry_at = SteadyClock::now();
  wake_.notify();
}

Task<void> Reconciler::serve(Request request) {
  // Nothing is started that would need Docker, because Compose's access would start a Docker that
  // an operator stopped.
  if (const std::optional<Error> error = docker_error()) {
    end_request(request.id, "failed", std::nullopt, error->text());
    co_return;
  }
  if (request.kind == Request::Kind::rollback) {
    co_await serve_rollback(request);
    co_return;
  }
  DeployTarget deploy_target;
  deploy_target.is_asked = true;
  deploy_target.request = request.id;
  // Polls the remote now instead of using the last poll's answer.
  Result<RefTip> tip = co_await workspace_.remote().resolve_ref();
  if (tip) facts_.tip.succeed(*tip);
  if (!tip && request.commit.empty()) {
    end_request(request.id, "failed", std::nullopt, tip.error().text());
    co_return;
  }
  for (const auto& [text, reference] : image_watcher_.watched()) {
    const Result<std::string> digest = co_await deps_.registry.digest_of(reference);
    if (digest) facts_.digests[text].succeed(*digest);
  }
  std::string held_commit;
  if (request.commit.empty()) {
    deploy_target.tip = *tip;
    deploy_target.cause = "asked for by an operator";
  } else {
    WorkspaceLock workspace = co_await lock_workspace();
    if (tip) {
      const Result<std::string> fetched = co_await workspace.git().fetch(*tip);
      if (!fetched) spdlog::warn("{}: {}", deps_.settings.name, fetched.error().text());
    }
    const Result<std::string> commit = co_await workspace.git().find_commit(request.commit);
    if (!commit) {
      end_request(request.id, "failed", std::nullopt, commit.error().text());
      co_return;
    }
    deploy_target.tip.name = tip ? tip->name : deps_.settings.git.ref;
    deploy_target.tip.commit = *commit;
    deploy_target.is_fetched = true;
    deploy_target.cause = fmt::format("commit {} asked for by an operator", short_commit(*commit));
    const Release* const current = deps_.store.current();
    const std::string deployed = current == nullptr ? std::string() : current->commit;
    held_commit = commit_to_hold(*commit, facts_.tip, deployed);
  }
  if (requests_.is_superseded(request.id)) co_return;
  const std::function<void(Intent&)> hold = [&](Intent& intent) {
    intent.held_commit = held_commit;
  };
  const Result<void> saved = co_await deps_.store.change_intent(hold);
  if (!saved) {
    end_request(request.id, "failed", std::nullopt, saved.error().text());
    co_return;
  }
  co_await consider(deploy_target);
  if (!requests_.is_evaluated() || image_wait_.commit.empty()) co_return;
  if (deps_.store.intent().paused) {
    end_request(request.id, "failed", std::nullopt,
                deps_.settings.name + " was paused before it was done");
    co_return;
  }
  // The deployment waits for an image, and so does the request.
  requests_.wait_for_images(request, image_wait_.commit);
}

// Returns the release to roll back to and its rendering. A release that can be neither read nor
// rendered again is skipped: if the operator named none, the next older good one is used.
Task<Result<Reconciler::Way>> Reconciler::find_way_back(WorkspaceLock& workspace, Request request) {
  Way way;
  way.release = request.release;
  for (;;) {
    const Result<void> readable =
        co_await rerender_for_current_compose(candidate_deps(), workspace, way.release, false);
    Result<Rendering> rendering = Error{Errc::failed, "was not read", {}};
    if (readable) rendering = renderings_.of(way.release);
    if (rendering) {
      way.rendering = std::move(*rendering);
      co_return way;
    }
    const Error error = readable ? rendering.error() : readable.error();
    const ReleaseRecord* const older =
        request.is_named ? nullptr : deps_.store.last_good_before(*deps_.store.find(way.release));
    const bool lost = !deps_.compose.problem() && is_lost(deps_.store, way.release, error);
    if (!lost || older == nullptr) co_return error;
    way.notices.push_back(
        fmt::format("it could not be rolled back to {}, but was rolled back to {}: {}",
                    release_text(way.release), release_text(older->number), error.text()));
    way.release = older->number;
  }
}

Task<void> Reconciler::serve_rollback(Request request) {
  AsyncMutex::Guard host = co_await wait_for_host();
  std::optional<WorkspaceLock> workspace;
  {
    WorkspaceLock held = co_await lock_workspace();
    workspace.emplace(std::move(held));
  }
  if (requests_.is_superseded(request.id)) co_return;
  const ReleaseRecord* const current = deps_.store.current();
  // Another deployment may have ended since the request, and the way back may be another one.
  if (current != nullptr && !request.is_named) {
    const ReleaseRecord* const good = deps_.store.last_good_before(*current);
    request.release = good == nullptr ? 0 : good->number;
  }
  const ReleaseRecord* const target = deps_.store.find(request.release);
  if (current == nullptr || target == nullptr || target->number == current->number) {
    const std::string what =
        request.release == 0 ? "earlier good release" : release_text(request.release);
    end_request(request.id, "failed", std::nullopt,
                fmt::format("{} has no {} to roll back to any more", deps_.settings.name, what));
    co_return;
  }
  const Result<void> prepared = co_await prepare_current(*workspace);
  if (!prepared) {
    end_request(request.id, "failed", std::nullopt, prepared.error().text());
    co_return;
  }
  const Result<Way> way = co_await find_way_back(*workspace, request);
  if (!way) {
    end_request(request.id, "failed", std::nullopt, way.error().text());
    co_return;
  }
  const Rendering* const rendering = &way->rendering;
  const Result<void> there =
      co_await volumes_are_there(deps_.docker, deps_.store, *rendering, way->release);
  if (!there) {
    end_request(request.id, "failed", std::nullopt, there.error().text());
    co_return;
  }
  const ReleaseRecord older = *deps_.store.find(way->release);
  const ReleaseRecord* const ran = release_to_go_back_to(deps_.store);
  Result<Rendering> before = Error{Errc::not_found, "no release has been good", {}};
  if (ran != nullptr) before = renderings_.of(ran->number);
  Deployment next;
  next.release = older.number;
  next.fallback = !before || ran->number == older.number ? 0 : ran->number;
  next.checkout = deps_.store.current()->number;
  next.kind = DeploymentKind::operator_rollback;
  next.from = deps_.store.running();
  Observed own = observation_.own;
  own.containers =
      without_hand_made_rest(observation_.own.containers, observation_.signs, *rendering);
  next.plan = make_return_plan(target_of(older, *rendering), renderings_.base_of_plans(), own);
  if (before) next.already_failing = failing_services(next.from, *before, observation_.own);
  for (const std::string& notice : way->notices) reporter_.note(notice);
  next.notices = way->notices;
  next.cause = "an operator rolled back to it";
  next.request = request.id;
  next.started_at = wall_now();
  workspace.reset();
  co_await run_deployment(std::move(next), false, std::move(host), {});
}

Task<Result<PlanAnswer>> Reconciler::plan() {
  // A deployment holds the workspace until its end, which would be too long to wait here.
  if (flight_.executing || flight_.unrecorded) {
    co_return busy_with_deployment(deps_.settings.name);
  }
  WorkspaceLock workspace = co_await workspace_.lock();
  if (flight_.executing || flight_.unrecorded) {
    co_return busy_with_deployment(deps_.settings.name);
  }
  if (const std::optional<Error> error = docker_error()) co_return *error;
  Result<RefTip> tip = co_await workspace_.remote().resolve_ref();
  if (!tip) co_return tip.error();
  const Result<std::string> fetched = co_await workspace.git().fetch(*tip);
  if (!fetched) co_return fetched.error();
  tip->commit = *fetched;
  const Result<void> prepared = co_await prepare_current(workspace);
  if (!prepared) co_return prepared.error();
  Facts facts;  // separate facts: everything is polled anew for this plan
  CandidateResult made = co_await build_candidate(candidate_deps(), workspace, *tip, &facts);
  if (made.world) co_return *made.world;
  PlanAnswer answer;
  if (const ReleaseRecord* const current = deps_.store.current()) answer.from = current->number;
  answer.commit = made.release.commit;
  answer.subject = made.release.subject;
  if (made.rejected) {
    answer.verdict = "rejected";
    answer.findings.push_back(*made.rejected);
    co_return answer;
  }
  Candidate& candidate = *made.candidate;
  if (!candidate.missing_images.empty()) {
    answer.verdict = "waiting";
    PreflightFinding finding;
    finding.name = "image-missing";
    finding.severity = PreflightFinding::Severity::warning;
    finding.message = "not in the registry yet: " + join(candidate.missing_images, ", ");
    answer.findings.push_back(finding);
    co_return answer;
  }
  PreflightReport preflight_report = co_await run_preflight_for(workspace, &candidate);
  answer.findings = std::move(preflight_report.findings);
  answer.pulls = std::move(preflight_report.pulls);
  answer.free_bytes = preflight_report.free_bytes;
  answer.plan = make_plan(target_of(candidate.release, candidate.rendering),
                          renderings_.base_of_plans(), observed_for(candidate), true);
  co_await fit_memory(&candidate.rendering, &answer.plan);
  const Store& store = deps_.store;
  const bool rejected = has_errors(answer.findings) ||
                        contents_not_tried(store.rejected(), store.in_flight(), store.releases())
                            .contains(candidate.release.content_key);
  answer.verdict = answer.plan.empty() ? "nothing to do" : rejected ? "rejected" : "would deploy";
  co_return answer;
}

void Reconciler::end_request(const std::string& id, std::string outcome, std::optional<int> release,
                             std::string message) {
  const RequestResult result{id, std::move(outcome), release, std::move(message)};
  if (requests_.end(result)) reporter_.request_ended(result);
}

}  // namespace trimtab
