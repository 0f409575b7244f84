#include "agent/reconcile/reporter.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "agent/model/reference.hpp"
#include "agent/record/release_json.hpp"

namespace trimtab {
namespace {

constexpr auto pull_event_spacing = std::chrono::milliseconds(250);

// A different reason for being unavailable is not reported again.
bool is_the_same(Errc before, Errc now) {
  return before == now || (is_transient(before) && is_transient(now));
}

}  // namespace

void Reporter::report(Milestone milestone, spdlog::level::level_enum level,
                      const std::string& message, const Release* release) {
  MilestoneFields fields;
  fields.stack = settings_.name;
  if (release != nullptr) {
    fields.release = release->number;
    fields.commit = release->commit;
  }
  if (deployment_) fields.phase = to_string(deployment_->deployment.phase);
  log_milestone(milestone, level, fields, message);
}

void Reporter::set_status(StackStatus now) {
  if (now == stack_status_) return;
  const StackStatus before = std::exchange(stack_status_, std::move(now));
  // The phases of a deployment have events of their own.
  const bool same_deployment = stack_status_.state == StackState::deploying ||
                               stack_status_.state == StackState::rolling_back;
  if (before.state == stack_status_.state &&
      (same_deployment || before.reason == stack_status_.reason)) {
    return;
  }
  Json data;
  data["old"] = to_string(before.state);
  data["new"] = to_string(stack_status_.state);
  data["reason"] = stack_status_.reason;
  data["message"] = std::string(to_string(stack_status_.state)) +
                    (stack_status_.reason.empty() ? "" : ": " + stack_status_.reason);
  events_.publish("state", settings_.name, std::move(data));
}

// Logs one line when the remote starts to refuse access or becomes unavailable, and one when it is
// back.
bool Reporter::report_remote(const std::optional<Error>& error) {
  if (!error) {
    if (!std::exchange(reported_.remote_error, std::nullopt)) return false;
    report(Milestone::note, spdlog::level::info, settings_.git.url + " answers again");
    return true;
  }
  const bool is_told = reported_.remote_error && is_the_same(*reported_.remote_error, error->code);
  reported_.remote_error = error->code;
  if (!is_told) report(Milestone::waiting, spdlog::level::warn, error->text());
  return false;
}

// The same for each registry of a watched image.
void Reporter::report_registries(const Facts& facts,
                                 const std::map<std::string, ImageReference>& watched) {
  std::map<std::string, Error> errors;
  for (const auto& [image, reference] : watched) {
    const auto fact = facts.digests.find(image);
    if (fact == facts.digests.end() || !fact->second.error) continue;
    // A registry that does not have an image yet has answered nevertheless.
    if (fact->second.error->code == Errc::not_found && !fact->second.value) continue;
    errors.emplace(reference.registry, *fact->second.error);
  }
  for (const auto& [registry, error] : errors) {
    const auto told = reported_.registry_errors.find(registry);
    const bool is_told =
        told != reported_.registry_errors.end() && is_the_same(told->second, error.code);
    reported_.registry_errors[registry] = error.code;
    if (!is_told) report(Milestone::waiting, spdlog::level::warn, error.text());
  }
  std::erase_if(reported_.registry_errors, [&](const auto& told) {
    if (errors.contains(told.first)) return false;
    report(Milestone::note, spdlog::level::info, told.first + " answers again");
    return true;
  });
}

bool Reporter::facts(const Facts& facts, const std::map<std::string, ImageReference>& watched) {
  const bool is_back = report_remote(facts.tip.error);
  report_registries(facts, watched);
  if (facts.tip.value && facts.tip.value->commit != reported_.commit) {
    reported_.commit = facts.tip.value->commit;
    Json data;
    data["commit"] = reported_.commit;
    data["message"] = fmt::format("{} is at {}", settings_.git.ref, short_commit(reported_.commit));
    events_.publish("facts", settings_.name, std::move(data));
  }
  for (const auto& [image, fact] : facts.digests) {
    if (!fact.value || reported_.digests[image] == *fact.value) continue;
    reported_.digests[image] = *fact.value;
    Json data;
    data["image"] = image;
    data["digest"] = *fact.value;
    data["message"] = fmt::format("{} is {}", image, short_digest(*fact.value));
    events_.publish("facts", settings_.name, std::move(data));
  }
  return is_back;
}

std::vector<ServiceChange> service_changes(const std::vector<Container>& before,
                                           const std::vector<Container>& now) {
  std::vector<ServiceChange> changes;
  for (const Container& container : now) {
    const auto known = std::find_if(before.begin(), before.end(), [&](const Container& other) {
      return other.id == container.id;
    });
    const bool changed = known == before.end() || known->state != container.state ||
                         known->health != container.health;
    if (!changed) continue;
    changes.push_back({container.service, std::string(to_string(container.state)),
                       std::string(to_string(container.health))});
  }
  std::set<std::string> gone;
  for (const Container& container : before) gone.insert(container.service);
  for (const Container& container : now) gone.erase(container.service);
  for (const std::string& service : gone) changes.push_back({service, "missing", "none"});
  return changes;
}

void Reporter::observation(const Observation& before, const Observation& now) {
  for (ServiceChange& change : service_changes(before.own.containers, now.own.containers)) {
    Json data;
    data["service"] = change.service;
    data["state"] = change.state;
    data["health"] = change.health;
    data["message"] = change.service + " " + change.state;
    events_.publish("service", settings_.name, std::move(data));
  }
  for (const LostVolume& lost : now.lost_volumes) {
    const auto& told = before.lost_volumes;
    if (std::find(told.begin(), told.end(), lost) != told.end()) continue;
    report(Milestone::failed, spdlog::level::err, lost.text() + " (" + lost.hint() + ")");
  }
}

void Reporter::release_ended(const ReleaseRecord& release, const std::optional<Failure>& failure,
                             const std::string& message) {
  Json data;
  data["release"] = release.number;
  data["outcome"] = to_string(release.outcome);
  if (failure) data["failure"] = to_json(*failure);
  data["message"] = message;
  events_.publish("release", settings_.name, std::move(data));
}

void Reporter::request_ended(const RequestResult& result) {
  Json data;
  data["request"] = result.id;
  data["outcome"] = result.outcome;
  data["release"] = result.release ? Json(*result.release) : Json(nullptr);
  data["message"] = result.message;
  events_.publish("finished", settings_.name, std::move(data));
}

void Reporter::phase_begun(const Deployment& deployment) {
  beat();
  DeploymentView view;
  view.deployment = deployment;
  view.phase_started_at = wall_now();
  if (deployment_) view.gate_began_at = deployment_->gate_began_at;
  if (deployment.phase == Phase::gating && !is_return(deployment.kind)) {
    view.gate_began_at = SteadyClock::now();
  }
  deployment_ = std::move(view);
  const bool back =
      deployment.phase == Phase::rolling_back || deployment.phase == Phase::gating_rollback;
  const std::string phase(to_string(deployment.phase));
  const std::string message = release_text(deployment.release) + ": " + phase;
  set_status({back ? StackState::rolling_back : StackState::deploying, message, ""});
  report(Milestone::phase_begun, spdlog::level::info, message, store_.find(deployment.release));
  Json data;
  data["release"] = deployment.release;
  data["phase"] = phase;
  data["message"] = message;
  events_.publish("phase", settings_.name, std::move(data));
}

void Reporter::pulling(const std::string& image, const PullProgress& progress) {
  beat();
  if (deployment_) {
    deployment_->pull_image = image;
    deployment_->pull = progress;
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

void Reporter::waiting_for(const std::map<std::string, std::string>& services) {
  beat();
  if (!deployment_ || deployment_->waiting_for == services) return;
  for (const auto& [service, words] : services) {
    const auto before = deployment_->waiting_for.find(service);
    if (before != deployment_->waiting_for.end() && before->second == words) continue;
    Json data;
    data["release"] = deployment_->deployment.release;
    data["service"] = service;
    data["state"] = words;
    data["health"] = words;
    data["message"] = service + ": " + words;
    events_.publish("service", settings_.name, std::move(data));
  }
  deployment_->waiting_for = services;
}

void Reporter::note(const std::string& words) {
  const std::string line = values_.hide_in(words);
  report(Milestone::note, spdlog::level::info, line);
  Json data;
  data["message"] = line;
  events_.publish("log", settings_.name, std::move(data));
}

void Reporter::hook_begun(const std::string& name, std::chrono::milliseconds at_most) {
  note(fmt::format("hook {} begins", name));
  waiting_for({{name, "hook runs"}});
  // A hook may be silent this long without counting as stalled.
  last_heartbeat_ = SteadyClock::now() + at_most;
}

}  // namespace trimtab
