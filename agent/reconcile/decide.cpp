#include "agent/reconcile/decide.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/reconcile/next_wake.hpp"

namespace trimtab {
namespace {

constexpr auto names_interval = std::chrono::seconds(3);
constexpr auto compose_interval = std::chrono::seconds(2);
constexpr auto docker_interval = std::chrono::seconds(5);
constexpr std::string_view tag_prefix = "refs/tags/";

// Returns the newest release of the tag, if it has another commit. A tag should never move: if it
// does, that is a mistake or worse, and a person has to decide.
const ReleaseRecord* release_of_moved_tag(const Releases& releases, const RefTip& tip) {
  if (!tip.name.starts_with(tag_prefix)) return nullptr;
  const auto newest = std::find_if(releases.rbegin(), releases.rend(),
                                   [&](const auto& entry) { return entry.second.ref == tip.name; });
  const bool moved = newest != releases.rend() && newest->second.commit != tip.commit;
  return moved ? &newest->second : nullptr;
}

StackStatus status_of_moved_tag(const Snapshot& now, const Release& known) {
  const std::string tag = now.tip->name.substr(tag_prefix.size());
  return StackStatus{
      now.current == nullptr ? StackState::waiting : StackState::synced,
      fmt::format("the tag {} was moved from {} to {}, which is not deployed automatically", tag,
                  short_commit(known.commit), short_commit(now.tip->commit)),
      fmt::format("`trimtab deploy {}` deploys it; so does a newer tag", now.stack)};
}

StackStatus status_without_compose(const Error& error) {
  return StackStatus{
      state_of(error), error.message,
      (error.hint.empty() ? "" : error.hint + "; ") + "evaluated again automatically"};
}

SteadyClock::time_point wake_of(const Snapshot& now) {
  WakeInput input;
  input.now = now.now;
  const bool is_down = now.is_stopped || now.is_moving;
  input.is_suspended = is_down || now.is_paused || now.docker_error || now.compose_error ||
                       now.record_end_at.has_value();
  input.goes_back_later = now.is_suspended;
  input.retry_at = now.retry_at;
  if (now.lacks_names) input.names_at = now.now + names_interval;
  // A returning Docker is announced by an event, but not one that answers again after a hang.
  if (now.docker_error) input.poll_at = now.now + docker_interval;
  if (now.compose_error) input.poll_at = now.now + compose_interval;
  if (now.record_end_at && !is_down) input.poll_at = now.record_end_at;
  input.probation_look = now.probation_look;
  input.probation_end = now.probation_end;
  return next_wake(input);
}

StackAction of_stopped_stack(const Snapshot& now) {
  if (now.was_cut) return action::StopWhatWasStarted{};
  if (now.has_request || now.has_open_result) return action::EndRequests{};
  return action::Rest{};
}

// Handles the ref's current commit, if nothing else has to be done first.
StackAction of_commit(const Snapshot& now, Decision& decision) {
  if (!now.tip) return action::Rest{};
  // Only another commit is a reason to stop rolling back.
  if (now.is_suspended && now.commit_in_flight == now.tip->commit) return action::Rest{};
  if (now.tip->commit == now.held_commit) {
    // Nothing has to be decided again, as after a start.
    if (now.verdict.state == StackState::starting) {
      decision.verdict = StackStatus{StackState::synced, "", ""};
    }
    return action::Rest{};
  }
  if (const ReleaseRecord* const known = release_of_moved_tag(*now.releases, *now.tip)) {
    decision.verdict = status_of_moved_tag(now, *known);
    decision.forgets_judgement = true;
    return action::Rest{};
  }
  if (!decision.is_retry && now.present_key == now.evaluated_key) return action::Rest{};
  if (now.is_as_deployed) return action::AcceptCurrent{};
  DeployTarget deploy_target;
  deploy_target.tip = *now.tip;
  deploy_target.is_retry = decision.is_retry;
  return action::Evaluate{deploy_target};
}

StackAction next_action(const Snapshot& now, Decision& decision) {
  if (now.is_stopped) return of_stopped_stack(now);
  if (now.is_moving) return action::Rest{};
  // Until then the records do not describe what is running.
  if (now.record_end_at) {
    if (now.now < *now.record_end_at) return action::Rest{};
    return action::RecordEnd{};
  }
  // Without Compose a deployment would fail, and so would its rollback.
  if (now.compose_error && (now.is_to_resume || now.has_request || !now.has_known_compose)) {
    decision.verdict = status_without_compose(*now.compose_error);
    return action::Rest{};
  }
  const bool is_due = now.retry_at && now.now >= *now.retry_at;
  const bool is_retry = is_due && !(now.is_suspended && now.docker_error);
  if (now.is_to_resume && (!now.is_suspended || is_retry)) return action::Resume{};
  if (now.is_rendering_to_mend && !now.commit_in_flight) return action::MendRendering{};
  decision.is_retry = is_retry || now.has_all_names;
  decision.forgets_judgement = decision.is_retry;
  // Where something else has used up the retry, nothing would end the waiting.
  const bool waits_for_images = now.request_waits_for_images && now.retry_at;
  if (now.has_request && (decision.is_retry || !waits_for_images)) {
    return action::ServeRequest{};
  }
  if (now.is_paused || now.docker_error) return action::Rest{};
  if (now.has_renewed_files) return action::ReloadRenewed{};
  if (!now.is_suspended) {
    if (now.is_probation_over) return action::EndProbation{};
    if (now.broken_on_probation && now.goes_back_by_itself) {
      return action::GoBack{*now.broken_on_probation};
    }
    if (now.broken_on_probation) return action::TellBroken{*now.broken_on_probation};
  }
  if (now.has_request) return action::Rest{};
  return of_commit(now, decision);
}

}  // namespace

Decision decide(const Snapshot& now) {
  Decision decision;
  decision.verdict = now.verdict;
  decision.action = now.is_ending ? action::Rest{} : next_action(now, decision);
  // A request that fails immediately must not keep the loop busy.
  const bool rests = std::holds_alternative<action::Rest>(decision.action);
  decision.wake_at = rests ? wake_of(now) : now.now + min_wait;
  return decision;
}

}  // namespace trimtab
