// What people are told while a stack is kept.
#include <algorithm>

#include "agent/model/reference.hpp"
#include "agent/reconcile/reconciler.hpp"

namespace trimtab {
namespace {

constexpr auto pull_event_spacing = std::chrono::milliseconds(250);

}  // namespace

// --- what people are told

void Reconciler::on_engine_event(const EngineEvent& event) {
  if (event.project != project_) return;
  if (event.action == "stop") stopped_.insert(event.id);
  if (event.action == "start" || event.action == "destroy") stopped_.erase(event.id);
  engine_changed_.notify();
  if (!executing_) wake_.notify();
}

void Reconciler::on_engine_change() {
  if (engine_.error()) docker_was_lost_ = true;
  if (!engine_.error() && docker_was_lost_) {
    // What failed because of it may work now.
    docker_back_at_ = wall_now();
    judged_key_.clear();
  }
  probation_.reset();
  gate_was_watched_ = false;
  engine_changed_.notify();
  wake_.notify();
}

// One line where the remote begins to refuse or to be away, and one where it is back.
void Reconciler::tell_of_remote() {
  const std::optional<Error>& error = facts_.tip.error;
  if (!error) {
    if (!std::exchange(told_remote_error_, std::nullopt)) return;
    tell(Milestone::remark, spdlog::level::info, settings_.git.url + " answers again");
    // What failed because of it need not wait out its interval.
    if (retry_at_) retry_at_ = SteadyClock::now();
    return;
  }
  const bool told =
      told_remote_error_ && (*told_remote_error_ == error->code ||
                             (is_transient(*told_remote_error_) && is_transient(error->code)));
  told_remote_error_ = error->code;
  if (!told) tell(Milestone::waiting, spdlog::level::warn, error->text());
}

// The same for each registry of a watched image.
void Reconciler::tell_of_registries() {
  std::map<std::string, Error> errors;
  for (const auto& [image, reference] : image_watcher_.watched()) {
    const auto fact = facts_.digests.find(image);
    if (fact == facts_.digests.end() || !fact->second.error) continue;
    // A registry that does not have an image yet has answered.
    if (fact->second.error->code == Errc::not_found && !fact->second.value) continue;
    errors.emplace(reference.registry, *fact->second.error);
  }
  for (const auto& [registry, error] : errors) {
    const auto told = told_registry_errors_.find(registry);
    const bool known =
        told != told_registry_errors_.end() &&
        (told->second == error.code || (is_transient(told->second) && is_transient(error.code)));
    told_registry_errors_[registry] = error.code;
    if (!known) tell(Milestone::waiting, spdlog::level::warn, error.text());
  }
  std::erase_if(told_registry_errors_, [&](const auto& told) {
    if (errors.contains(told.first)) return false;
    tell(Milestone::remark, spdlog::level::info, told.first + " answers again");
    return true;
  });
}

// A watcher has asked: tells what is new and has the reconciler look at it.
void Reconciler::on_facts_asked() {
  tell_of_remote();
  tell_of_registries();
  if (facts_.tip.value && facts_.tip.value->commit != told_commit_) {
    told_commit_ = facts_.tip.value->commit;
    Json data;
    data["commit"] = told_commit_;
    data["message"] = settings_.git.ref + " is at " + short_commit(told_commit_);
    events_.publish("facts", settings_.name, std::move(data));
  }
  for (const auto& [image, fact] : facts_.digests) {
    if (!fact.value || told_digests_[image] == *fact.value) continue;
    told_digests_[image] = *fact.value;
    Json data;
    data["image"] = image;
    data["digest"] = *fact.value;
    data["message"] = image + " is " + short_digest(*fact.value);
    events_.publish("facts", settings_.name, std::move(data));
  }
  wake_.notify();
}

void Reconciler::on_unit_change(const std::string& active) {
  // Whoever stops the stack does not want a deployment to start it again.
  if (executing_ && (active == "deactivating" || active == "inactive")) executing_->request_stop();
  wake_.notify();
}

StackUnit Reconciler::stack_unit() const {
  StackUnit unit;
  unit.stack = settings_.name;
  unit.project = project_;
  unit.directory = settings_.directory.string();
  unit.state_directory = std::filesystem::absolute(store_.directory()).string();
  unit.empty_file = paths_.empty_file.string();
  unit.docker_socket = paths_.docker_socket.string();
  unit.compose = compose_.tool().argv;
  unit.has_pull_option = compose_.tool().family == ComposeFamily::v2;
  return unit;
}

SignsOfLife Reconciler::signs_of_life() const {
  return {last_progress_, waits_for_turn_, git_watcher_.next_look(), image_watcher_.next_look()};
}

void Reconciler::tell(Milestone milestone, spdlog::level::level_enum level,
                      const std::string& message, const Release* release) {
  MilestoneFields fields;
  fields.stack = settings_.name;
  if (release != nullptr) {
    fields.release = release->number;
    fields.commit = release->commit;
  }
  if (attempt_view_) fields.phase = to_string(attempt_view_->attempt.phase);
  log_milestone(milestone, level, fields, message);
}

void Reconciler::settle() {
  SituationInput input;
  if (unit_keeper_.is_stopped()) input.stopped_unit = settings_.unit;
  input.stack = settings_.name;
  input.decided = verdict_;
  input.intent = &store_.intent();
  input.current = store_.current();
  input.docker_error = engine_.error();
  input.tip = &facts_.tip;
  input.observed = &observed_of_release_;
  input.drift = &drift_;
  input.lost_volumes = lost_volumes_;
  if (probation_end_ && input.current != nullptr &&
      probation_end_->release == input.current->number) {
    input.probation_left = std::chrono::duration_cast<std::chrono::milliseconds>(
        probation_end_->at - SteadyClock::now());
  }
  const Situation now = situation_of(input);
  situate(now.state, now.reason, now.next);
}

void Reconciler::situate(StackState state, std::string reason, std::string next) {
  Situation now{state, std::move(reason), std::move(next)};
  if (now == situation_) return;
  const Situation before = std::exchange(situation_, std::move(now));
  // The phases of a deployment have events of their own.
  const bool same_deployment = state == StackState::deploying || state == StackState::rolling_back;
  if (before.state == state && (same_deployment || before.reason == situation_.reason)) return;
  Json data;
  data["old"] = to_string(before.state);
  data["new"] = to_string(situation_.state);
  data["reason"] = situation_.reason;
  data["message"] = std::string(to_string(situation_.state)) +
                    (situation_.reason.empty() ? "" : ": " + situation_.reason);
  events_.publish("state", settings_.name, std::move(data));
}

std::vector<std::string> Reconciler::notices() const {
  std::vector<std::string> all = store_.problems();
  if (!unmended_.empty()) all.push_back(unmended_);
  for (const Container& container : foreign_) {
    std::string line = "the container " + container.name + " bears the label of the project " +
                       project_ + ", but was not made for this stack: it is left alone";
    if (container.is_counted && boots_without_ && boots_without_->contains(container.service)) {
      line += "; while it is there, " + settings_.unit + " does not start " + container.service +
              ", since Compose would take it for that";
    }
    all.push_back(std::move(line));
  }
  for (const Container& container : observed_.containers) {
    const auto& of_release = observed_of_release_.containers;
    const bool is_of_release =
        std::any_of(of_release.begin(), of_release.end(),
                    [&](const Container& one) { return one.id == container.id; });
    if (is_of_release) continue;
    all.push_back(
        "the container " + container.name +
        " was made by hand for a service that the release does not have: it is left alone");
  }
  if (const Release* const current = store_.current()) {
    all.insert(all.end(), current->notices.begin(), current->notices.end());
    for (const PreflightFinding& finding : current->findings) all.push_back(finding.message);
  }
  return all;
}

void Reconciler::phase_begun(const Attempt& attempt) {
  last_progress_ = SteadyClock::now();
  if (attempt.phase == Phase::gating && attempt.kind == AttemptKind::deploy) {
    gate_was_watched_ = true;
  }
  AttemptView view;
  view.attempt = attempt;
  view.phase_started_at = wall_now();
  attempt_view_ = std::move(view);
  const bool back = attempt.phase == Phase::rolling_back || attempt.phase == Phase::gating_rollback;
  const std::string phase(to_string(attempt.phase));
  situate(back ? StackState::rolling_back : StackState::deploying,
          release_text(attempt.release) + ": " + phase, "");
  Json data;
  data["release"] = attempt.release;
  data["phase"] = phase;
  data["message"] = release_text(attempt.release) + ": " + phase;
  tell(Milestone::phase_begun, spdlog::level::info, release_text(attempt.release) + ": " + phase,
       store_.find(attempt.release));
  events_.publish("phase", settings_.name, std::move(data));
}

void Reconciler::pulling(const std::string& image, const PullProgress& progress) {
  last_progress_ = SteadyClock::now();
  if (attempt_view_) {
    attempt_view_->pull_image = image;
    attempt_view_->pull = progress;
  }
  const bool whole = progress.total != 0 && progress.current == progress.total;
  if (!whole && SteadyClock::now() - last_pull_event_ < pull_event_spacing) return;
  last_pull_event_ = SteadyClock::now();
  Json data;
  data["image"] = image;
  data["current"] = progress.current;
  data["total"] = progress.total;
  data["message"] = "pulling " + image;
  events_.publish("pull", settings_.name, std::move(data));
}

void Reconciler::waiting_for(const std::map<std::string, std::string>& services) {
  last_progress_ = SteadyClock::now();
  if (!attempt_view_ || attempt_view_->waiting_for == services) return;
  for (const auto& [service, words] : services) {
    const auto before = attempt_view_->waiting_for.find(service);
    if (before != attempt_view_->waiting_for.end() && before->second == words) continue;
    Json data;
    data["release"] = attempt_view_->attempt.release;
    data["service"] = service;
    data["state"] = words;
    data["health"] = words;
    data["message"] = service + ": " + words;
    events_.publish("service", settings_.name, std::move(data));
  }
  attempt_view_->waiting_for = services;
}

void Reconciler::remark(const std::string& words) {
  const std::string line = known_values_.hide_in(words);
  tell(Milestone::remark, spdlog::level::info, line);
  Json data;
  data["message"] = line;
  events_.publish("log", settings_.name, std::move(data));
}

void Reconciler::hook_begun(const std::string& name, std::chrono::milliseconds at_most) {
  remark("hook " + name + " begins");
  waiting_for({{name, "hook runs"}});
  // So long it may be silent without hanging.
  last_progress_ = SteadyClock::now() + at_most;
}

}  // namespace trimtab
