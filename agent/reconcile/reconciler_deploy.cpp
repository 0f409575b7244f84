// A deployment that is due: recorded as a release, carried out when the host is free, and told.
#include <algorithm>

#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/plan/diff.hpp"
#include "agent/reconcile/certificates.hpp"
#include "agent/reconcile/ending.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace trimtab {
namespace {

// How soon what could not be written is written again.
constexpr auto record_interval = std::chrono::seconds(5);

std::map<std::string, std::uint64_t> bytes_of(const std::vector<ImagePull>& pulls) {
  std::map<std::string, std::uint64_t> bytes;
  for (const ImagePull& pull : pulls) {
    if (pull.missing_bytes) bytes[pull.pinned] = *pull.missing_bytes;
  }
  return bytes;
}

// Whether nothing was touched for it: the host prevented that, or a kill before it began.
bool is_untried(const Store& store, const ReleaseRecord& release) {
  const bool is_in_flight = store.attempt() && store.attempt()->release == release.number;
  return release.outcome == Outcome::in_progress && !is_in_flight;
}

// The one that is the same but for its number, and that was not tried yet.
std::optional<int> untried_number(const Store& store, const Release& release) {
  for (const auto& [number, known] : store.releases()) {
    const bool is_same = known.content_key == release.content_key &&
                         known.inputs_key == release.inputs_key && known.commit == release.commit &&
                         known.ref == release.ref && known.project == release.project &&
                         known.compose == release.compose;
    if (is_same && is_untried(store, known)) return number;
  }
  return std::nullopt;
}

// The others will not be tried any more.
Result<void> give_up_untried(Store& store, int but_for) {
  for (const auto& [number, known] : store.releases()) {
    if (number == but_for || !is_untried(store, known)) continue;
    Attempt given_up;
    if (known.deployment != 0) given_up = store.deployments().at(known.deployment);
    if (known.deployment == 0) given_up.id = store.next_deployment();
    given_up.release = number;
    given_up.outcome = Outcome::superseded;
    given_up.ended_at = wall_now();
    if (auto saved = store.save(given_up); !saved) return saved;
  }
  return {};
}

}  // namespace

Task<Turn::Holder> Reconciler::wait_for_host() {
  std::optional<Turn::Holder> free = parts_.host_turn.try_take();
  if (free) co_return std::move(*free);
  const Situation before =
      std::exchange(judged_.verdict,
                    Situation{StackState::waiting, "another stack of this host is being deployed",
                              "it is this one's turn after that"});
  settle();
  Turn::Holder host = co_await wait_for(parts_.host_turn);
  judged_.verdict = before;
  co_await observe();
  co_return host;
}

// Another stack's deployment, for which this one waits, may take its time.
Task<Turn::Holder> Reconciler::wait_for(Turn& turn) {
  waits_for_turn_ = true;
  Turn::Holder holder = co_await turn.take();
  waits_for_turn_ = false;
  reporter_.show_sign();
  co_return holder;
}

Task<void> Reconciler::carry_out(Goal goal, Due due, Turn::Holder host) {
  if (requests_.is_superseded(goal.request)) co_return;
  Store& store = parts_.store;
  const StackSettings& settings = parts_.settings;
  Draft draft = std::move(due.draft);
  const ReleaseRecord* const good = release_to_go_back_to(store);
  Attempt next;
  next.previous = good == nullptr ? 0 : good->number;
  if (good != nullptr && good->content_key == draft.release.content_key) {
    next.previous = good->previous;
  }
  next.cause = goal.cause.empty() ? describe_cause(draft.release, store.current()) : goal.cause;
  next.notices = std::move(draft.notices);
  next.findings = std::move(due.examination.findings);
  Release release = draft.release;
  release.number = store.next_number();
  // A try that the host prevented goes on under its number.
  const std::optional<int> untried = untried_number(store, release);
  if (untried) release.number = *untried;
  Result<void> written = give_up_untried(store, release.number);
  if (written && !untried) {
    written = store.save_rendering(release.number, emit_yaml(draft.rendering.model));
  }
  for (const auto& [path, bytes] : draft.input_bytes) {
    if (written && !untried) written = store.save_input(release.number, path, bytes);
  }
  if (written && good != nullptr && good->commit != release.commit) {
    const Result<bool> ancestor = co_await parts_.git->is_ancestor(good->commit, release.commit);
    if (ancestor && !*ancestor && goal.request.empty()) {
      next.notices.push_back("the history of " + settings.git.ref + " was rewritten: " +
                             short_commit(good->commit) + " is no longer part of it");
    }
  }
  if (written && settings.certs.self_signed_until_issued) {
    const auto made = provide_certificates(due.examination.certificates, settings.directory);
    if (!made) written = made.error();
    if (made) next.notices.insert(next.notices.end(), made->begin(), made->end());
  }
  if (written) written = co_await parts_.git->keep(release.commit, release.number);
  if (written && !untried) written = store.save(release);
  if (!written) {
    try_later(goal, written.error());
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
    if (before) next.unwell = unwell_services(next.from, *before, observation_.own);
  }
  next.request = goal.request;
  next.started_at = wall_now();
  co_await attempt(std::move(next), false, std::move(host), bytes_of(due.examination.pulls));
}

Task<void> Reconciler::attempt(Attempt attempt, bool resumed, Turn::Holder host, PullBytes bytes) {
  const Turn::Holder turn = std::move(host);
  Store& store = parts_.store;
  // What an operator has asked for meanwhile comes first.
  co_await unit_keeper_.look(stack_unit(), !parts_.engine.error());
  const bool paused = store.intent().paused && !resumed;
  if (stop_requested_ || unit_keeper_.is_stopped() || unit_keeper_.is_moving() || paused) {
    flight_.resumes = store.attempt().has_value();
    judged_.key.clear();
    if (!resumed) {
      end_request(attempt.request, "failed", std::nullopt, "stopped before anything was done");
    }
    co_return;
  }
  // A preview that is being made ends soon; one that is asked for from now on is refused.
  const Turn::Holder staging = co_await wait_for(staging_turn_);
  if (requests_.is_superseded(attempt.request)) co_return;
  requests_.let_go();
  Begun begun{attempt.release, attempt.kind, attempt.request, std::nullopt};
  const bool asked = !begun.request.empty();
  ExecutorParts parts{parts_.settings, project_,     *parts_.git, parts_.registry, parts_.docker,
                      parts_.compose,  parts_.store, reporter_,   engine_changed_};
  if (const ReleaseRecord* const release = store.find(begun.release)) project_ = release->project;
  ExecutorHooks hooks;
  hooks.superseded = [this, asked](const Release& release) {
    return facts_.tip.value && facts_.tip.value->name == release.ref &&
           facts_.tip.value->commit != release.commit &&
           parts_.store.intent().held_commit.empty() && !asked;
  };
  hooks.paused = [this] { return parts_.store.intent().paused; };
  hooks.pull_bytes = std::move(bytes);
  hooks.values = known_values_of(store, {attempt.release, attempt.fallback});
  hooks.make_readable = [this](int release) { return make_readable(draft_parts(), release, true); };
  reporter_.attempt_begins(hooks.values);
  flight_.executing = std::make_unique<Executor>(parts, std::move(hooks));
  if (!resumed && store.attempt()) {
    flight_.is_suspended = false;
    flight_.resumes = false;
    const Result<void> given_up = flight_.executing->give_up(*store.attempt());
    if (!given_up) spdlog::warn("{}: {}", parts_.settings.name, given_up.error().text());
  }
  const std::optional<AttemptResult> result =
      co_await flight_.executing->run(std::move(attempt), resumed);
  std::unique_ptr<Executor> ended = std::move(flight_.executing);
  if (reporter_.attempt()) begun.gate_began = reporter_.attempt()->gate_began_at;
  reporter_.attempt_ends();
  upkeep_.forget_boot_files();
  if (!result) {
    // It was stopped between two phases, by the daemon's end or the unit's stop.
    flight_.resumes = true;
    flight_.was_cut = true;
    co_return;
  }
  if (result->unrecorded) {
    flight_.unrecorded = Unrecorded{std::move(ended), *result, begun, {}};
    tell_unrecorded();
    co_return;
  }
  co_await observe();
  after(*result, begun);
}

void Reconciler::tell_unrecorded() {
  Unrecorded& unrecorded = *flight_.unrecorded;
  const Error& error = *unrecorded.result.unrecorded;
  unrecorded.next_try = SteadyClock::now() + record_interval;
  const Situation before =
      std::exchange(judged_.verdict, Situation{StackState::waiting,
                                               "how " + release_text(unrecorded.begun.release) +
                                                   " ended cannot be written: " + error.message,
                                               (error.hint.empty() ? "" : error.hint + "; ") +
                                                   "nothing else is deployed until it is"});
  if (judged_.verdict == before) return;
  reporter_.tell(Milestone::waiting, spdlog::level::err, judged_.verdict.reason,
                 parts_.store.find(unrecorded.begun.release));
}

void Reconciler::after(const AttemptResult& result, const Begun& begun) {
  probation_.on_deployment(parts_.store.current(), begun.gate_began,
                           parts_.settings.gate.probation);
  const ReleaseRecord* const found = parts_.store.find(begun.release);
  if (found == nullptr) return;
  ReleaseRecord release = *found;
  // A good release that could not be gone back to does not keep why, but a person is told.
  release.failure = result.failure;
  std::chrono::milliseconds next_try{0};
  if (is_tried_again(result.end, begun.kind, release.failure)) next_try = back_off();
  const Ending ending = ending_of(result.end, begun.kind, release, record(), next_try);
  if (ending.verdict) judged_.verdict = *ending.verdict;
  if (result.end == AttemptEnd::committed) {
    backoff_.failures = 0;
    judged_.key = release.inputs_key;
  }
  if (result.end == AttemptEnd::superseded) judged_.key.clear();
  if (result.end == AttemptEnd::suspended) flight_.resumes = flight_.is_suspended = true;
  const bool is_fine = result.end == AttemptEnd::committed || result.end == AttemptEnd::superseded;
  reporter_.tell(ending.milestone, is_fine ? spdlog::level::info : spdlog::level::warn,
                 ending.message, &release);
  reporter_.release_ended(release, release.failure, ending.message);
  end_request(begun.request, ending.outcome, begun.release, ending.message);
}

}  // namespace trimtab
