// A commit on its way to a deployment: fetched, drafted, judged, examined.
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
// How rare questions for an image that is waited for become.
constexpr int most_image_intervals = 4;

}  // namespace

Task<void> Reconciler::consider(Goal goal) {
  std::optional<Due> due = co_await evaluate(goal);
  if (!due) co_return;
  std::optional<Turn::Holder> host = parts_.host_turn.try_take();
  if (host) {
    co_await carry_out(goal, std::move(*due), std::move(*host));
    co_return;
  }
  // Until then what runs, what is wanted and what the host has may be another.
  due.reset();
  Turn::Holder turn = co_await wait_for_host();
  judged_.key.clear();
  const bool newer = facts_.tip.value && facts_.tip.value->commit != goal.tip.commit;
  if (requests_.is_superseded(goal.request) || (goal.request.empty() && newer)) {
    wake_.notify();
    co_return;
  }
  due = co_await evaluate(goal);
  if (due) co_await carry_out(goal, std::move(*due), std::move(turn));
}

Task<std::optional<Reconciler::Due>> Reconciler::evaluate(Goal goal) {
  judged_.lacks_names.reset();
  // A try that is repeated changes nothing of what people are told until it ends otherwise.
  if (goal.request.empty() && !goal.is_retry) {
    reporter_.situate({StackState::checking, "looking at " + short_commit(goal.tip.commit), ""});
  }
  const Turn::Holder turn = co_await wait_for(staging_turn_);
  // As it would be judged now, so that what fails on the way is not tried again before its time.
  judged_.key = inputs_key(present_inputs(parts_.settings, goal.tip.commit, facts_,
                                          judged_.evaluated.value_or(Inputs{})));
  if (!goal.is_fetched) {
    const Result<std::string> fetched = co_await parts_.git->fetch(goal.tip);
    if (!fetched) {
      try_later(goal, fetched.error());
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
    co_return std::nullopt;
  }
  DraftResult made = co_await make_draft(draft_parts(), goal.tip, &facts_);
  const std::vector<std::string> repaired = co_await upkeep_.keep_commits_anew();
  if (made.draft) {
    auto& notices = made.draft->notices;
    notices.insert(notices.end(), repaired.begin(), repaired.end());
  }
  judged_.evaluated = made.inputs;
  judged_.key = inputs_key(made.inputs);
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
  image_wait_ = ImageWait();
  co_return co_await judge_made(goal, std::move(*made.draft));
}

Task<std::optional<Reconciler::Due>> Reconciler::judge_made(Goal goal, Draft draft) {
  const StackSettings& settings = parts_.settings;
  Store& store = parts_.store;
  const bool is_asked = !goal.request.empty();
  Plan plan = make_plan(target_of(draft.release, draft.rendering), renderings_.base_of_plans(),
                        observed_for(draft), is_asked);
  JudgementInput input;
  input.draft = &draft.release;
  input.is_asked = is_asked;
  input.is_plan_empty = plan.empty();
  input.current = store.current();
  input.rejected = &store.rejected();
  input.releases = &store.releases();
  input.tries_count_since = docker_return_.back_at;
  const Judgement judgement = judge_draft(input);
  switch (judgement) {
    case Judgement::held:
      judged_.verdict = situation_of_held(record(), draft.release);
      end_request(goal.request, "rejected", std::nullopt, judged_.verdict.reason);
      co_return std::nullopt;
    case Judgement::vain:
      judged_.verdict = situation_of_vain(record(), draft.release);
      co_return std::nullopt;
    case Judgement::nothing:
      note_that_nothing_is_due(goal);
      co_return std::nullopt;
    case Judgement::record:
    case Judgement::deploy:
      break;
  }
  parts_.projects.claim(draft.release.project, settings.name);
  Examination examination = co_await examine_draft(&draft);
  if (has_errors(examination.findings)) {
    if (is_about_names(examination.findings)) {
      judged_.lacks_names.emplace(draft.release.project, draft.rendering);
    }
    if (store.current() == nullptr && settings.project.empty()) {
      parts_.projects.release(settings.name);
    }
    const Result<void> recorded =
        record_rejection(goal, draft.release, std::move(examination.findings));
    if (!recorded) try_later(goal, recorded.error());
    co_return std::nullopt;
  }
  std::vector<std::string> stop_first = co_await fit_memory(&draft.rendering, &plan);
  draft.notices.insert(draft.notices.end(), stop_first.begin(), stop_first.end());
  Due due;
  const bool is_repair = input.current != nullptr && input.current->outcome == Outcome::good &&
                         input.current->content_key == draft.release.content_key;
  due.kind = judgement == Judgement::record ? AttemptKind::record_only
             : is_repair                    ? AttemptKind::repair
                                            : AttemptKind::deploy;
  due.draft = std::move(draft);
  due.plan = std::move(plan);
  due.examination = std::move(examination);
  co_return due;
}

void Reconciler::note_that_nothing_is_due(const Goal& goal) {
  judged_.verdict = Situation{StackState::synced, "", ""};
  backoff_.failures = 0;
  const Release& current = *parts_.store.current();
  end_request(goal.request, "nothing_to_do", current.number,
              release_text(current.number) + " is what Git and the registry ask for");
}

// Another Compose than the one that rendered the current release writes the same project in
// another way, which must not look like a change. Of a release whose record is gone, or whose
// rendering is lost, nothing is known: plans apply what runs of it anew, and it keeps no other from
// being deployed.
Task<Result<void>> Reconciler::prepare_current() {
  const Store& store = parts_.store;
  std::set<int> numbers = releases_of(store.running());
  if (const ReleaseRecord* const current = store.current()) numbers.insert(current->number);
  for (const int number : numbers) {
    if (store.find(number) == nullptr) continue;
    const Result<void> readable = co_await make_readable(draft_parts(), number, false);
    if (readable) continue;
    const bool lost = !parts_.compose.problem() && is_lost(store, number, readable.error());
    if (!lost) co_return readable;
  }
  co_return Result<void>();
}

// Before the first release, the commit says which project is looked at.
Observed Reconciler::observed_for(const Draft& draft) const {
  const bool is_first = parts_.store.current() == nullptr;
  Observed observed;
  observed.at = observation_.own.at;
  observed.containers =
      without_hand_made_rest(is_first ? draft.running.own : observation_.own.containers,
                             is_first ? draft.running.signs : observation_.signs, draft.rendering);
  return observed;
}

Task<Examination> Reconciler::examine_draft(const Draft* draft) {
  const bool is_first = parts_.store.current() == nullptr;
  ExaminationParts parts{draft_parts(), parts_.projects, renderings_, parts_.engine.engine()};
  return examine(std::move(parts), draft,
                 is_first ? draft->running.own : observation_.own.containers,
                 is_first ? draft->running.signs : observation_.signs);
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
    const auto bytes = co_await parts_.docker.memory_used(container.id);
    if (bytes) used[container.service] = std::max(used[container.service], *bytes);
  }
  co_return keep_within_memory(*plan, *rendering, observed, used, *available);
}

Result<void> Reconciler::record_rejection(const Goal& goal, Release release,
                                          std::vector<PreflightFinding> findings) {
  Store& store = parts_.store;
  const PreflightFinding first = findings.front();
  judged_.verdict =
      Situation{StackState::failed, short_commit(release.commit) + " is rejected: " + first.message,
                first.hint};
  // Not the content: what is wrong with it may be cured by a file that leaves it as it is.
  std::string key = release.inputs_key;
  const bool by_host = is_by_host(findings);
  const std::string separator = first.hint.empty() ? "" : "; ";
  if (by_host) {
    // It may be deployed as it is once the host is in order.
    key += "-here-" + key_of(findings);
    judged_.verdict.next += separator + "looked at again in " + human_duration(back_off());
  } else {
    judged_.verdict.next += separator + "once it is corrected, it is tried again by itself";
  }
  if (store.rejected().contains(key) && goal.request.empty()) return {};
  release.number = store.next_number();
  Attempt ended;
  ended.id = store.next_deployment();
  ended.release = release.number;
  ended.cause = goal.cause.empty() ? "push " + short_commit(release.commit) : goal.cause;
  ended.findings = std::move(findings);
  ended.started_at = wall_now();
  ended.ended_at = ended.started_at;
  ended.outcome = Outcome::rejected;
  Failure failure;
  failure.cls = by_host ? FailureClass::world : FailureClass::content;
  failure.phase = "checking";
  failure.reason = first.message;
  failure.hint = first.hint;
  ended.failure = failure;
  if (auto saved = store.save(release); !saved) return saved;
  if (auto saved = store.save(ended); !saved) return saved;
  if (auto rejected = store.reject(key); !rejected) return rejected;
  const std::string what = " is rejected";
  reporter_.tell(Milestone::rejected, spdlog::level::warn,
                 release_text(release.number) + " (" + short_commit(release.commit) + ")" + what +
                     ", nothing was touched: " + first.message,
                 &release);
  reporter_.release_ended(*store.find(release.number), failure,
                          release_text(release.number) + what + ": " + first.message);
  end_request(goal.request, "rejected", release.number, first.message);
  return {};
}

void Reconciler::wait_for_images(const Goal& goal, const Release& release,
                                 const std::vector<std::string>& missing) {
  const auto now = SteadyClock::now();
  const ImageSettings& images = parts_.settings.images;
  if (image_wait_.commit != release.commit) image_wait_ = ImageWait{release.commit, now, 0};
  const auto waited = now - image_wait_.since;
  const std::string names = join(missing, ", ");
  if (waited < images.wait) {
    // Each time later, though never so late that the budget ends unseen.
    const std::chrono::milliseconds asked_again =
        std::min({next_interval(images.interval, image_wait_.questions++, random_jitter()),
                  images.interval * most_image_intervals,
                  std::chrono::ceil<std::chrono::milliseconds>(images.wait - waited)});
    judged_.verdict = Situation{
        StackState::waiting,
        short_commit(release.commit) + " waits for an image that is not in its registry: " + names,
        "asked again in " + human_duration(asked_again) + ", given up after " +
            format_duration(images.wait)};
    backoff_.retry_at = now + asked_again;
    return;
  }
  PreflightFinding finding;
  finding.name = "image-missing";
  finding.message = names + (missing.size() == 1 ? " is" : " are") + " not in the registry";
  finding.hint = "push it, or correct `image:` in the compose file";
  // The image may come later: what is rejected is this commit without it.
  Release rejected = release;
  rejected.content_key.clear();
  rejected.inputs_key += "-without-" + names;
  const Result<void> recorded = record_rejection(goal, std::move(rejected), {finding});
  if (!recorded) try_later(goal, recorded.error());
  // Its registry alone is asked from now on.
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

void Reconciler::try_later(const Goal& goal, const Error& error) {
  judged_.verdict = Situation{state_of(error), error.message,
                              (error.hint.empty() ? "" : error.hint + "; ") + "tried again in " +
                                  human_duration(back_off())};
  reporter_.tell(Milestone::waiting, spdlog::level::warn, error.text());
  end_request(goal.request, "failed", std::nullopt, error.text());
}

}  // namespace trimtab
