// What becomes of a commit that was looked at: the record, the words for people, and when it is
// looked at again.
#include <algorithm>

#include "agent/reconcile/reconciler.hpp"
#include "agent/reconcile/vain_tries.hpp"
#include "agent/record/release_json.hpp"
#include "agent/sources/backoff.hpp"
#include "common/hash.hpp"

namespace trimtab {
namespace {

constexpr std::chrono::milliseconds first_retry = std::chrono::seconds(30);
// How soon what could not be written is written again.
constexpr auto record_interval = std::chrono::seconds(5);
// How rare questions for an image that is waited for become.
constexpr int most_image_intervals = 4;

// Whether the host alone keeps the release from being deployed.
bool is_by_host(const std::vector<PreflightFinding>& findings) {
  return std::all_of(findings.begin(), findings.end(), [](const PreflightFinding& finding) {
    return finding.severity == PreflightFinding::Severity::warning ||
           finding.cls == FailureClass::world;
  });
}

// What was found, whatever the words and figures: the same mistake has the same key.
std::string key_of(const std::vector<PreflightFinding>& findings) {
  std::string all;
  for (const PreflightFinding& finding : findings) {
    if (finding.severity == PreflightFinding::Severity::warning) continue;
    all += finding.name + '\n' + finding.subject + '\n';
  }
  return sha256_hex(all);
}

Milestone milestone_of(AttemptEnd end) {
  switch (end) {
    case AttemptEnd::committed:
      return Milestone::deployed;
    case AttemptEnd::rejected:
      return Milestone::rejected;
    case AttemptEnd::postponed:
      return Milestone::waiting;
    case AttemptEnd::superseded:
      return Milestone::superseded;
    case AttemptEnd::rolled_back:
      return Milestone::rolled_back;
    case AttemptEnd::failed:
    case AttemptEnd::suspended:
      return Milestone::failed;
  }
  return Milestone::failed;
}

}  // namespace

// Why content that was rejected is not tried, told by the release that it was rejected with.
Situation Reconciler::situation_of_held(const Release& draft) const {
  const std::string again = "`trimtab deploy " + settings_.name + "` tries it once more";
  const auto& releases = store_.releases();
  for (auto entry = releases.rbegin(); entry != releases.rend(); ++entry) {
    const Release& known = entry->second;
    if (known.content_key != draft.content_key) continue;
    const std::string commit = short_commit(draft.commit);
    if (!known.failure) {
      return Situation{StackState::synced,
                       commit + " has the content of " + release_text(known.number) +
                           ", which an operator went back from",
                       again};
    }
    Situation situation = situation_of_failed(known, known.outcome);
    if (known.commit != draft.commit) {
      situation.reason = commit + " has the content of what failed before: " + situation.reason;
    }
    return situation;
  }
  return Situation{StackState::failed,
                   short_commit(draft.commit) + " has content that was rejected before", again};
}

// Why content that the host alone has made fail, again and again, is left until something changes.
Situation Reconciler::situation_of_vain(const Release& draft) const {
  const auto& releases = store_.releases();
  const auto newest = std::find_if(releases.rbegin(), releases.rend(), [&](const auto& entry) {
    return entry.second.content_key == draft.content_key;
  });
  Situation situation = situation_of_failed(newest->second, newest->second.outcome);
  situation.state = StackState::failed;
  situation.next = "tried " + std::to_string(max_vain_tries) +
                   " times in place of what runs, and not again until the commit or its images " +
                   "change or Docker is started anew; `trimtab deploy " + settings_.name +
                   "` tries it once more";
  return situation;
}

Situation Reconciler::situation_of_failed(const Release& release, Outcome outcome) const {
  const Release* const current = store_.current();
  const bool world = release.failure && release.failure->cls == FailureClass::world;
  const std::string why = release.failure ? ": " + release.failure->reason : std::string();
  const std::string who = release_text(release.number) + " (" + short_commit(release.commit) + ")";
  const std::string again = "`trimtab show " + settings_.name + " " +
                            std::to_string(release.number) + "` has the whole log";
  const std::string untried = "it is not tried again until it changes; " + again;
  if (outcome == Outcome::rejected) {
    return Situation{StackState::failed, who + " is rejected" + why, untried};
  }
  if (outcome == Outcome::rolled_back && current != nullptr) {
    return Situation{world ? StackState::waiting : StackState::failed,
                     who + " was rolled back to " + release_text(current->number) + why,
                     world ? "it is tried again later" : untried};
  }
  const bool alone = store_.last_good_before(release) == nullptr;
  return Situation{StackState::failed,
                   who + " failed" + (alone ? ", and there is nothing to go back to" : "") + why,
                   "what runs was left as it is; " + again};
}

Result<void> Reconciler::record_rejection(const Goal& goal, Release release,
                                          std::vector<PreflightFinding> findings) {
  const PreflightFinding first = findings.front();
  verdict_ = Situation{StackState::failed,
                       short_commit(release.commit) + " is rejected: " + first.message, first.hint};
  // Not the content: what is wrong with it may be cured by a file that leaves it as it is.
  std::string key = release.inputs_key;
  const bool by_host = is_by_host(findings);
  const std::string separator = first.hint.empty() ? "" : "; ";
  if (by_host) {
    // It may be deployed as it is once the host is in order.
    key += "-here-" + key_of(findings);
    verdict_.next += separator + "looked at again in " + human_duration(back_off());
  } else {
    verdict_.next += separator + "once it is corrected, it is tried again by itself";
  }
  if (store_.rejected().contains(key) && goal.request.empty()) return {};
  release.number = store_.next_number();
  release.outcome = Outcome::rejected;
  release.cause = goal.cause.empty() ? "push " + short_commit(release.commit) : goal.cause;
  release.findings = std::move(findings);
  Failure failure;
  failure.cls = by_host ? FailureClass::world : FailureClass::content;
  failure.phase = "checking";
  failure.reason = first.message;
  failure.hint = first.hint;
  release.failure = failure;
  if (auto saved = store_.save(release); !saved) return saved;
  if (auto rejected = store_.reject(key); !rejected) return rejected;
  tell(Milestone::rejected, spdlog::level::warn,
       release_text(release.number) + " (" + short_commit(release.commit) +
           ") is rejected, nothing was touched: " + first.message,
       &release);
  Json data;
  data["release"] = release.number;
  data["outcome"] = to_string(release.outcome);
  data["failure"] = to_json(failure);
  data["message"] = "release " + std::to_string(release.number) + " is rejected: " + first.message;
  events_.publish("release", settings_.name, std::move(data));
  finish_request(goal.request, "rejected", release.number, first.message);
  return {};
}

void Reconciler::wait_for_images(const Goal& goal, const Release& release,
                                 const std::vector<std::string>& missing) {
  if (waiting_commit_ != release.commit) {
    waiting_commit_ = release.commit;
    waiting_since_ = SteadyClock::now();
    image_questions_ = 0;
  }
  const auto waited = SteadyClock::now() - waiting_since_;
  const std::string names = join(missing, ", ");
  if (waited < settings_.images.wait) {
    // Each time later, though never so late that the budget ends unseen.
    const std::chrono::milliseconds asked_again =
        std::min({next_interval(settings_.images.interval, image_questions_++, random_jitter()),
                  settings_.images.interval * most_image_intervals,
                  std::chrono::ceil<std::chrono::milliseconds>(settings_.images.wait - waited)});
    verdict_ = Situation{
        StackState::waiting,
        short_commit(release.commit) + " waits for an image that is not in its registry: " + names,
        "asked again in " + human_duration(asked_again) + ", given up after " +
            format_duration(settings_.images.wait)};
    retry_at_ = SteadyClock::now() + asked_again;
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
  const auto wait = next_interval(first_retry, world_failures_, random_jitter());
  ++world_failures_;
  retry_at_ = SteadyClock::now() + wait;
  return wait;
}

void Reconciler::try_later(const Goal& goal, const Error& error) {
  verdict_ = Situation{state_of(error), error.message,
                       (error.hint.empty() ? "" : error.hint + "; ") + "tried again in " +
                           human_duration(back_off())};
  tell(Milestone::waiting, spdlog::level::warn, error.text());
  finish_request(goal.request, "failed", std::nullopt, error.text());
}

void Reconciler::tell_unrecorded() {
  const Error& error = *unrecorded_->result.unrecorded;
  unrecorded_->next_try = SteadyClock::now() + record_interval;
  const Situation before = std::exchange(
      verdict_,
      Situation{
          StackState::waiting,
          "how " + release_text(unrecorded_->number) + " ended cannot be written: " + error.message,
          (error.hint.empty() ? "" : error.hint + "; ") + "nothing else is deployed until it is"});
  if (verdict_ == before) return;
  tell(Milestone::waiting, spdlog::level::err, verdict_.reason, store_.find(unrecorded_->number));
}

void Reconciler::after(const AttemptResult& result, int number, const std::string& request) {
  const Release* const found = store_.find(number);
  const Release* const current = store_.current();
  if (found == nullptr) return;
  Release release = *found;
  // A good release that could not be gone back to does not keep why, but a person is told.
  release.failure = result.failure;
  const AttemptEnd end = result.end;
  const std::string who = release_text(number) + " (" + short_commit(release.commit) + ")";
  const std::string why = release.failure ? release.failure->reason : std::string();
  const bool world = release.failure && release.failure->cls == FailureClass::world;
  const std::string back = current == nullptr ? std::string() : release_text(current->number);
  std::string outcome;
  std::string message;
  switch (end) {
    case AttemptEnd::committed:
      world_failures_ = 0;
      is_on_probation();
      judged_key_ = release.inputs_key;
      verdict_ = Situation{StackState::synced, "", ""};
      outcome = "done";
      message = who + " is deployed";
      break;
    case AttemptEnd::rejected:
      verdict_ = situation_of_failed(release, Outcome::rejected);
      outcome = "rejected";
      message = who + " is rejected, nothing was touched: " + why;
      break;
    case AttemptEnd::postponed:
      back_off();
      verdict_ = Situation{StackState::waiting, who + " cannot be deployed now: " + why,
                           "nothing was touched; it is tried again"};
      outcome = "failed";
      message = verdict_.reason + "; nothing was touched, it is tried again";
      break;
    case AttemptEnd::superseded:
      judged_key_.clear();
      wake_.notify();
      outcome = "superseded";
      message = who + " gave way to a newer commit";
      break;
    case AttemptEnd::rolled_back:
      if (world) back_off();
      verdict_ = situation_of_failed(release, Outcome::rolled_back);
      outcome = "rolled_back";
      message = "rolled back to " + back + ": " + why;
      break;
    case AttemptEnd::suspended:
      resumes_ = true;
      is_suspended_ = true;
      verdict_ = Situation{StackState::failed, who + " failed: " + why,
                           "going back is tried again in " + human_duration(back_off())};
      outcome = "failed";
      message = verdict_.reason;
      break;
    case AttemptEnd::failed:
      if (world) back_off();
      verdict_ = situation_of_failed(release, Outcome::failed);
      outcome = "failed";
      message = verdict_.reason;
      break;
  }
  const bool fine = end == AttemptEnd::committed || end == AttemptEnd::superseded;
  tell(milestone_of(end), fine ? spdlog::level::info : spdlog::level::warn, message, &release);
  Json data;
  data["release"] = number;
  data["outcome"] = to_string(release.outcome);
  if (release.failure) data["failure"] = to_json(*release.failure);
  data["message"] = message;
  events_.publish("release", settings_.name, std::move(data));
  finish_request(request, outcome, number, message);
}

}  // namespace trimtab
