// Takes a commit towards a deployment: fetches it, builds a candidate, assesses it and runs the
// preflight checks.
#include <fmt/core.h>

#include <algorithm>

#include "agent/plan/diff.hpp"
#include "agent/plan/rolling.hpp"
#include "agent/reconcile/host_memory.hpp"
#include "agent/reconcile/host_names.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "agent/record/rendering.hpp"
#include "agent/sources/backoff.hpp"
#include "common/log.hpp"
#include "common/random.hpp"

namespace trimtab {
namespace {

constexpr std::chrono::milliseconds first_retry = std::chrono::seconds(30);

}  // namespace

Task<void> Reconciler::consider(DeployTarget deploy_target) {
  std::optional<Due> due = co_await evaluate(deploy_target);
  if (!due) co_return;
  std::optional<AsyncMutex::Guard> host = deps_.deploy_lock.try_lock();
  if (host) {
    co_await carry_out(deploy_target, std::move(*due), std::move(*host));
    co_return;
  }
  // Meanwhile what is running, what is wanted and what the host has may change.
  due.reset();
  AsyncMutex::Guard turn = co_await wait_for_host();
  last_assessment_.key.clear();
  const bool newer = facts_.tip.value && facts_.tip.value->commit != deploy_target.tip.commit;
  if (requests_.is_superseded(deploy_target.request) || (deploy_target.request.empty() && newer)) {
    wake_.notify();
    co_return;
  }
  due = co_await evaluate(deploy_target);
  if (due) co_await carry_out(deploy_target, std::move(*due), std::move(turn));
}

Task<std::optional<Reconciler::Due>> Reconciler::evaluate(DeployTarget deploy_target) {
  last_assessment_.lacks_names.reset();
  // A retry does not change the reported status until its result differs.
  if (deploy_target.request.empty() && !deploy_target.is_retry) {
    reporter_.set_status(
        {StackState::checking, "evaluating " + short_commit(deploy_target.tip.commit), ""});
  }
  WorkspaceLock workspace = co_await lock_workspace();
  // The key as it would be computed now, so that a failure on the way is not retried too early.
  last_assessment_.key =
      inputs_key(present_inputs(deps_.settings, deploy_target.tip.commit, facts_,
                                last_assessment_.evaluated.value_or(Inputs{}), input_hashes_));
  if (!deploy_target.is_fetched) {
    const Result<std::string> fetched = co_await workspace.git().fetch(deploy_target.tip);
    if (!fetched) {
      try_later(deploy_target, fetched.error());
      co_return std::nullopt;
    }
    // The ref moved after it was polled; the older answer must not replace the newer commit.
    if (facts_.tip.value == deploy_target.tip && *fetched != deploy_target.tip.commit) {
      facts_.tip.succeed({deploy_target.tip.name, *fetched});
    }
    deploy_target.tip.commit = *fetched;
  }
  const Result<void> prepared = co_await prepare_current(workspace);
  if (!prepared) {
    try_later(deploy_target, prepared.error());
    co_return std::nullopt;
  }
  CandidateResult made =
      co_await build_candidate(candidate_deps(), workspace, deploy_target.tip, &facts_);
  const std::vector<std::string> repaired = co_await upkeep_.keep_commits_anew(workspace);
  if (made.candidate) {
    auto& notices = made.candidate->notices;
    notices.insert(notices.end(), repaired.begin(), repaired.end());
  }
  last_assessment_.evaluated = made.inputs;
  last_assessment_.key = inputs_key(made.inputs);
  if (made.world) {
    try_later(deploy_target, *made.world);
    co_return std::nullopt;
  }
  if (made.rejected) {
    std::vector<PreflightFinding> findings{std::move(*made.rejected)};
    const Result<void> recorded =
        co_await record_rejection(deploy_target, std::move(made.release), std::move(findings));
    if (!recorded) try_later(deploy_target, recorded.error());
    co_return std::nullopt;
  }
  image_watcher_.watch(made.candidate->watched);
  if (!made.candidate->missing_images.empty()) {
    co_await wait_for_images(deploy_target, made.candidate->release,
                             made.candidate->missing_images);
    co_return std::nullopt;
  }
  image_wait_ = ImageWait();
  co_return co_await assess_made(workspace, deploy_target, std::move(*made.candidate));
}

Task<std::optional<Reconciler::Due>> Reconciler::assess_made(WorkspaceLock& workspace,
                                                             DeployTarget deploy_target,
                                                             Candidate candidate) {
  const StackSettings& settings = deps_.settings;
  Store& store = deps_.store;
  const bool is_asked = !deploy_target.request.empty();
  Plan plan = make_plan(target_of(candidate.release, candidate.rendering),
                        renderings_.base_of_plans(), observed_for(candidate), is_asked);
  AssessmentInput input;
  input.candidate = &candidate.release;
  input.is_asked = is_asked;
  input.is_plan_empty = plan.empty();
  input.current = store.current();
  const std::set<std::string> rejected =
      contents_not_tried(store.rejected(), store.in_flight(), store.releases());
  input.rejected = &rejected;
  input.releases = &store.releases();
  input.tries_count_since = docker_return_.back_at;
  const Assessment assessment = assess_candidate(input);
  switch (assessment) {
    case Assessment::rejected:
      last_assessment_.verdict = status_of_rejected(record(), candidate.release);
      end_request(deploy_target.request, "rejected", std::nullopt, last_assessment_.verdict.reason);
      co_return std::nullopt;
    case Assessment::vain:
      last_assessment_.verdict = status_of_vain(record(), candidate.release);
      co_return std::nullopt;
    case Assessment::nothing:
      note_that_nothing_is_due(deploy_target);
      co_return std::nullopt;
    case Assessment::record:
    case Assessment::deploy:
      break;
  }
  deps_.projects.claim(candidate.release.project, settings.name);
  PreflightReport preflight_report = co_await run_preflight_for(workspace, &candidate);
  if (has_errors(preflight_report.findings)) {
    if (is_about_names(preflight_report.findings)) {
      last_assessment_.lacks_names.emplace(candidate.release.project, candidate.rendering);
    }
    if (store.current() == nullptr && settings.project.empty()) {
      deps_.projects.release(settings.name);
    }
    const Result<void> recorded = co_await record_rejection(deploy_target, candidate.release,
                                                            std::move(preflight_report.findings));
    if (!recorded) try_later(deploy_target, recorded.error());
    co_return std::nullopt;
  }
  std::vector<std::string> stop_first = co_await fit_memory(&candidate.rendering, &plan);
  candidate.notices.insert(candidate.notices.end(), stop_first.begin(), stop_first.end());
  Due due;
  due.kind = kind_of_deployment(assessment, candidate.release, input.current);
  due.candidate = std::move(candidate);
  due.plan = std::move(plan);
  due.preflight_report = std::move(preflight_report);
  co_return due;
}

void Reconciler::note_that_nothing_is_due(const DeployTarget& deploy_target) {
  last_assessment_.verdict = StackStatus{StackState::synced, "", ""};
  backoff_.failures = 0;
  const Release& current = *deps_.store.current();
  end_request(deploy_target.request, "nothing_to_do", current.number,
              release_text(current.number) + " is up to date with Git and the registry");
}

// Another Compose than the one that rendered the current release renders the same project
// differently, which must not look like a change. A release without a record or rendering counts as
// unknown: plans apply its services again, and it does not block other deployments.
Task<Result<void>> Reconciler::prepare_current(WorkspaceLock& workspace) {
  const Store& store = deps_.store;
  std::set<int> numbers = releases_of(store.running());
  if (const ReleaseRecord* const current = store.current()) numbers.insert(current->number);
  for (const int number : numbers) {
    if (store.find(number) == nullptr) continue;
    const Result<void> readable =
        co_await rerender_for_current_compose(candidate_deps(), workspace, number, false);
    if (readable) continue;
    const bool lost = !deps_.compose.problem() && is_lost(store, number, readable.error());
    if (!lost) co_return readable;
  }
  co_return Result<void>();
}

// Before the first release, the commit determines the project.
Observed Reconciler::observed_for(const Candidate& candidate) const {
  const bool is_first = deps_.store.current() == nullptr;
  Observed observed;
  observed.at = observation_.own.at;
  observed.containers = without_hand_made_rest(
      is_first ? candidate.running.own : observation_.own.containers,
      is_first ? candidate.running.signs : observation_.signs, candidate.rendering);
  return observed;
}

Task<PreflightReport> Reconciler::run_preflight_for(WorkspaceLock& workspace,
                                                    const Candidate* candidate) {
  const bool is_first = deps_.store.current() == nullptr;
  PreflightDeps deps{candidate_deps(), workspace, deps_.projects, renderings_,
                     deps_.engine.engine()};
  return run_preflight(std::move(deps), candidate,
                       is_first ? candidate->running.own : observation_.own.containers,
                       is_first ? candidate->running.signs : observation_.signs);
}

Task<std::vector<std::string>> Reconciler::fit_memory(const Rendering* rendering, Plan* plan) {
  const std::vector<std::string> rolled = plan->with(Action::roll);
  const auto available = available_memory();
  if (!available) co_return std::vector<std::string>();
  std::map<std::string, std::uint64_t> used;
  const Observed observed = observation_.own;
  for (const Container& container : observed.containers) {
    if (container.state != ContainerState::running) continue;
    if (std::find(rolled.begin(), rolled.end(), container.service) == rolled.end()) continue;
    const auto bytes = co_await deps_.docker.memory_used(container.id);
    if (bytes) used[container.service] = std::max(used[container.service], *bytes);
  }
  co_return keep_within_memory(*plan, *rendering, observed, used, *available);
}

Task<Result<void>> Reconciler::record_rejection(DeployTarget deploy_target, Release release,
                                                std::vector<PreflightFinding> findings) {
  Store& store = deps_.store;
  const Rejection rejection = rejection_of(release, findings);
  const Failure& failure = rejection.failure;
  std::optional<std::chrono::milliseconds> again;
  if (rejection.is_by_host) again = back_off();
  last_assessment_.verdict = status_of_rejection(release, rejection, again);
  if (store.rejected().contains(rejection.key) && deploy_target.request.empty()) {
    co_return Result<void>();
  }
  release.number = store.next_number();
  Deployment ended;
  ended.id = store.next_deployment();
  ended.release = release.number;
  ended.cause =
      deploy_target.cause.empty() ? "push " + short_commit(release.commit) : deploy_target.cause;
  ended.findings = std::move(findings);
  ended.started_at = wall_now();
  ended.ended_at = ended.started_at;
  ended.outcome = Outcome::rejected;
  ended.failure = failure;
  Result<void> written = co_await store.save(release);
  if (written) written = co_await store.save(ended);
  if (written) written = co_await store.reject(rejection.key);
  if (!written) co_return written;
  const std::string what = " is rejected";
  reporter_.report(Milestone::rejected, spdlog::level::warn,
                   fmt::format("{} ({}){}, nothing was touched: {}", release_text(release.number),
                               short_commit(release.commit), what, failure.reason),
                   &release);
  reporter_.release_ended(*store.find(release.number), failure,
                          release_text(release.number) + what + ": " + failure.reason);
  end_request(deploy_target.request, "rejected", release.number, failure.reason);
  co_return Result<void>();
}

Task<void> Reconciler::wait_for_images(DeployTarget deploy_target, Release release,
                                       std::vector<std::string> missing) {
  const auto now = SteadyClock::now();
  const ImageSettings& images = deps_.settings.images;
  ImageWaitStep step =
      next_image_wait(std::move(image_wait_), release.commit, now, images, random_jitter());
  image_wait_ = std::move(step.wait);
  const std::string names = join(missing, ", ");
  if (step.again) {
    last_assessment_.verdict =
        StackStatus{StackState::waiting,
                    fmt::format("{} waits for an image that is not in its registry: {}",
                                short_commit(release.commit), names),
                    fmt::format("checked again in {}, rejected after {}",
                                human_duration(*step.again), format_duration(images.wait))};
    backoff_.retry_at = now + *step.again;
    co_return;
  }
  PreflightFinding finding;
  finding.name = "image-missing";
  finding.message =
      fmt::format("{}{} not in the registry", names, missing.size() == 1 ? " is" : " are");
  finding.hint = "push it, or correct `image:` in the compose file";
  // The image may be pushed later: what is rejected is this commit without it.
  Release rejected = release;
  rejected.content_key.clear();
  rejected.inputs_key += "-without-" + names;
  std::vector<PreflightFinding> findings{std::move(finding)};
  const Result<void> recorded =
      co_await record_rejection(deploy_target, std::move(rejected), std::move(findings));
  if (!recorded) try_later(deploy_target, recorded.error());
  // From now on only its registry is polled.
  std::map<std::string, ImageReference> watched = image_watcher_.watched();
  for (const std::string& image : missing) {
    const Result<ImageReference> reference = parse_reference(image);
    if (reference) watched[image] = *reference;
  }
  image_watcher_.watch(std::move(watched));
}

std::chrono::milliseconds Reconciler::back_off() {
  const auto wait = next_interval(first_retry, backoff_.failures, random_jitter());
  ++backoff_.failures;
  backoff_.retry_at = SteadyClock::now() + wait;
  return wait;
}

void Reconciler::try_later(const DeployTarget& deploy_target, const Error& error) {
  last_assessment_.verdict =
      StackStatus{state_of(error), error.message,
                  fmt::format("{}retried in {}", error.hint.empty() ? "" : error.hint + "; ",
                              human_duration(back_off()))};
  reporter_.report(Milestone::waiting, spdlog::level::warn, error.text());
  end_request(deploy_target.request, "failed", std::nullopt, error.text());
}

}  // namespace trimtab
