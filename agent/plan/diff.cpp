// More than 400 lines, because the plans for deploying, returning and rolling back are variations
// of one comparison of a service with its containers.
#include "agent/plan/diff.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "agent/model/reference.hpp"
#include "agent/model/reload.hpp"
#include "agent/model/service.hpp"
#include "agent/plan/dependants.hpp"
#include "agent/plan/rolling.hpp"

namespace trimtab {
namespace {

using Reasons = std::vector<std::string>;

constexpr const char* unverified = "left by a deployment that failed";
constexpr const char* down_words = "does not work";
constexpr const char* lost_words = "the container whose network or processes it shares is gone";

std::string digest_of(const std::string& image) {
  const auto at = image.find('@');
  return at == std::string::npos ? image : image.substr(at + 1);
}

// Returns "" for an image without a name, which is pinned by its id.
std::string name_of(const std::string& image) {
  return image.rfind("sha256:", 0) == 0 ? std::string() : image.substr(0, image.find('@'));
}

std::string describe_image_change(const std::string& old_image, const std::string& new_image) {
  const std::string old_name = name_of(old_image);
  const std::string new_name = name_of(new_image);
  const std::string old_digest = short_digest(digest_of(old_image));
  const std::string new_digest = short_digest(digest_of(new_image));
  if (old_name == new_name) return fmt::format("image {}… → {}…", old_digest, new_digest);
  return fmt::format("image {} → {}", old_name.empty() ? old_digest + "…" : old_name,
                     new_name.empty() ? new_digest + "…" : new_name);
}

void explain_environment(const Json& before, const Json& after, Reasons& reasons) {
  const auto old_variables = environment_of(before);
  const auto new_variables = environment_of(after);
  std::vector<std::string> changed;
  for (const auto& [name, value] : new_variables) {
    const auto old = old_variables.find(name);
    if (old == old_variables.end() || old->second != value) changed.push_back(name);
  }
  for (const auto& [name, value] : old_variables) {
    if (!new_variables.contains(name)) changed.push_back(name);
  }
  if (!changed.empty()) reasons.push_back("environment changed: " + join(changed, ", "));
}

// Explains why Compose will replace the container: how the definitions differ.
Reasons definition_changes(const Json& before, const Json& after) {
  Reasons reasons;
  const std::string old_image = json_string(before, "image");
  const std::string new_image = json_string(after, "image");
  if (old_image != new_image) reasons.push_back(describe_image_change(old_image, new_image));
  std::set<std::string> keys;
  for (const auto& item : before.items()) keys.insert(item.key());
  for (const auto& item : after.items()) keys.insert(item.key());
  for (const std::string& key : keys) {
    // Start order and trimtab's own settings are not part of a container.
    if (key == "image" || key == "depends_on" || key == "profiles" || key.starts_with("x-")) {
      continue;
    }
    const bool in_both = before.contains(key) && after.contains(key);
    if (in_both && nlohmann::json(before[key]) == nlohmann::json(after[key])) continue;
    if (key == "environment") {
      explain_environment(before, after, reasons);
    } else if (in_both) {
      reasons.push_back(key + " changed");
    } else {
      reasons.push_back(key + (after.contains(key) ? " added" : " removed"));
    }
  }
  return reasons;
}

// A service's `configs:`, `secrets:` and `networks:` refer to definitions outside of it.
Reasons shared_changes(const Json& before, const Json& after, const Json& service) {
  Reasons reasons;
  for (const auto& [section, word] : {std::pair{"configs", "config"}, {"secrets", "secret"}}) {
    const Json& old_definitions = json_object(before, section);
    const Json& new_definitions = json_object(after, section);
    for (const Json& entry : json_array(service, section)) {
      const std::string name =
          entry.is_string() ? entry.get<std::string>() : json_string(entry, "source");
      const nlohmann::json old_definition = json_object(old_definitions, name);
      const nlohmann::json new_definition = json_object(new_definitions, name);
      if (old_definition != new_definition) {
        reasons.push_back(fmt::format("{} changed: {}", word, name));
      }
    }
  }
  for (const std::string& name : networks_of(service)) {
    const nlohmann::json old_definition = json_object(json_object(before, "networks"), name);
    const nlohmann::json new_definition = json_object(json_object(after, "networks"), name);
    if (old_definition != new_definition) reasons.push_back("network changed: " + name);
  }
  return reasons;
}

using MountedFiles = std::map<std::string, std::map<std::string, std::string>>;

const std::map<std::string, std::string>& files_of(const MountedFiles& mounted,
                                                   const std::string& service) {
  static const std::map<std::string, std::string> none;
  const auto found = mounted.find(service);
  return found == mounted.end() ? none : found->second;
}

Reasons mounted_changes(const MountedFiles& next, const MountedFiles& current,
                        const std::string& service) {
  const auto& before = files_of(current, service);
  const auto& after = files_of(next, service);
  Reasons reasons;
  for (const auto& [path, blob] : after) {
    const auto old = before.find(path);
    if (old == before.end()) {
      reasons.push_back("mounted file added: " + path);
    } else if (old->second != blob) {
      reasons.push_back("mounted file changed: " + path);
    }
  }
  for (const auto& [path, blob] : before) {
    if (!after.contains(path)) reasons.push_back("mounted file removed: " + path);
  }
  return reasons;
}

bool all_stopped_manually(const std::vector<const Container*>& containers) {
  return !containers.empty() &&
         std::all_of(containers.begin(), containers.end(),
                     [](const Container* c) { return is_stopped_manually(*c); });
}

// A service touched by a deployment may have been interrupted, by a crash of the host, between the
// stop and the start of its own restart. Docker does not distinguish that from a manual stop.
bool is_left_stopped(const RunningService* known, const std::vector<const Container*>& containers) {
  return all_stopped_manually(containers) && (known == nullptr || !known->is_touched);
}

bool was_running_at_the_gate(const RunningService* known) {
  return known != nullptr && known->release != 0 && !known->is_job && !known->containers.empty();
}

bool all_at_work(const std::vector<const Container*>& containers, bool may_be_job) {
  return !containers.empty() &&
         std::all_of(containers.begin(), containers.end(), [&](const Container* c) {
           return (may_be_job && is_finished_job(*c)) ||
                  (c->state == ContainerState::running && c->health != Health::unhealthy);
         });
}

std::set<std::string> ids_of(const std::vector<const Container*>& containers) {
  std::set<std::string> ids;
  for (const Container* container : containers) ids.insert(container->id);
  return ids;
}

bool are_those_of(const RunningService& known, const std::vector<const Container*>& containers) {
  return (known.is_job && containers.empty()) || ids_of(containers) == known.containers;
}

// Describes how the container ids differ from those seen after the gate.
std::string difference_from_seen(const RunningService& known,
                                 const std::vector<const Container*>& containers) {
  if (are_those_of(known, containers)) return {};
  if (known.containers.empty()) return "its container was started manually";
  if (containers.empty()) return "its container was removed manually";
  return "its container was replaced manually";
}

bool any_runs(const std::vector<const Container*>& containers) {
  return std::any_of(containers.begin(), containers.end(),
                     [](const Container* c) { return c->state == ContainerState::running; });
}

bool any_works(const std::vector<const Container*>& containers) {
  return std::any_of(containers.begin(), containers.end(), [](const Container* c) {
    return c->state == ContainerState::running &&
           (c->health == Health::none || c->health == Health::healthy);
  });
}

// Makes it a rolling update if the service asks for one and nothing prevents it.
void roll_if_asked(Step& step, const Rendering& rendering,
                   const std::vector<const Container*>& containers) {
  // If nothing is running there is no service to keep up.
  if (!asks_for_start_first(rendering.service(step.service)) || !any_runs(containers)) return;
  const std::string obstacle = obstacle_to_rolling(rendering, step.service, containers);
  if (!obstacle.empty()) {
    step.reasons.push_back("stop-first, because " + obstacle);
    return;
  }
  step.action = Action::roll;
  step.risk = Risk::none;
}

// Gives the service new containers in the way that it asks for.
void replace(Step& step, const Rendering& rendering,
             const std::vector<const Container*>& containers) {
  const Json& service = rendering.service(step.service);
  if (containers.empty()) {
    step.action = Action::create;
    return;
  }
  step.action = Action::recreate;
  step.risk = risk_of_replacing(service, containers);
  roll_if_asked(step, rendering, containers);
}

// A proxy resolves its backends' addresses when it reads its configuration, so it must reload when
// they change. A rolling update does this itself.
void reload_for_new_addresses(Plan& plan, const Rendering& rendering, const Observed& observed) {
  std::set<std::string> moved;
  for (const Step& step : plan.steps) {
    if (step.action == Action::recreate || step.action == Action::restart) {
      moved.insert(step.service);
    }
  }
  for (Step& step : plan.steps) {
    if (step.action != Action::none || !step.reasons.empty()) continue;
    const Json& service = rendering.service(step.service);
    if (!reload_of(service) || !any_runs(containers_of(observed, step.service))) continue;
    for (const std::string& name : dependencies_of(service)) {
      if (moved.contains(name)) step.reasons.push_back(name + " may get a new address");
    }
    if (!step.reasons.empty()) step.action = Action::reload;
  }
}

// For a service that was not verified: Compose decides whether its containers match the release.
Step step_for_unknown(const std::string& service, const Target& next, const RunningService* known,
                      const std::vector<const Container*>& containers) {
  Step step;
  step.service = service;
  step.action = containers.empty() ? Action::create : Action::recreate;
  if (!containers.empty())
    step.risk = risk_of_replacing(next.rendering->service(service), containers);
  if (known == nullptr) {
    step.reasons.push_back(containers.empty() ? "new" : "started manually, taken over");
    return step;
  }
  step.reasons.push_back(unverified);
  // A service that is merely slow to start may finish starting; rolling it requires a working
  // container.
  if (any_works(containers)) roll_if_asked(step, *next.rendering, containers);
  return step;
}

Step step_for(const std::string& service, const Target& next, const Base& base,
              const std::vector<const Container*>& containers, bool repair) {
  Step step;
  step.service = service;
  const Json& after = next.rendering->service(service);
  const RunningService* const known = base.running.find(service);
  const auto found = known == nullptr ? base.releases.end() : base.releases.find(known->release);
  if (found == base.releases.end() || found->second.rendering.service(service).empty() ||
      (known->is_touched && !are_those_of(*known, containers))) {
    return step_for_unknown(service, next, known, containers);
  }
  const Base::Known& current = found->second;
  step.reasons = definition_changes(current.rendering.service(service), after);
  const Reasons shared = shared_changes(current.rendering.model, next.rendering->model, after);
  step.reasons.insert(step.reasons.end(), shared.begin(), shared.end());
  if (!step.reasons.empty()) {
    replace(step, *next.rendering, containers);
    return step;
  }
  step.reasons = mounted_changes(*next.mounted_files, current.mounted_files, service);
  if (step.reasons.empty() && known->is_touched && !known->is_job &&
      !files_of(current.mounted_files, service).empty()) {
    step.reasons.push_back("may have read other mounted files");
  }
  const bool stays_stopped = is_left_stopped(known, containers);
  if (!step.reasons.empty() && !stays_stopped) {
    if (const auto reload = reload_of(after); reload && reload->files && any_runs(containers)) {
      step.action = Action::reload;
      return step;
    }
    step.action = containers.empty() ? Action::create : Action::restart;
    step.risk = containers.empty() ? Risk::none : Risk::restart;
    roll_if_asked(step, *next.rendering, containers);
    return step;
  }
  if (stays_stopped) {
    step.reasons = {"stopped manually"};
    return step;
  }
  const std::string by_hand = difference_from_seen(*known, containers);
  if (!by_hand.empty()) {
    step.reasons.push_back(by_hand);
    if (repair) replace(step, *next.rendering, containers);
    return step;
  }
  const bool down = !all_at_work(containers, !was_running_at_the_gate(known));
  const bool owed = repair || (known->is_touched && was_running_at_the_gate(known));
  if (owed && down && !containers.empty()) {
    step.action = Action::restart;
    step.risk = Risk::restart;
    step.reasons.push_back(down_words);
  }
  return step;
}

// For a job that had finished in the release that is restored.
void do_not_run_again(Step& step) {
  step.action = Action::remove;
  step.risk = Risk::none;
  step.reasons = {"a job that had finished before"};
}

// Docker cannot restart a container that shares the network or processes of one that is gone.
void renew_lost(Step& step, const Rendering& rendering, const RunningService* known,
                const std::vector<const Container*>& containers, bool repair) {
  const bool is_kept = step.action == Action::none || step.action == Action::restart ||
                       step.action == Action::reload;
  const bool refused = std::any_of(containers.begin(), containers.end(),
                                   [](const Container* c) { return !c->error.empty(); });
  if (!is_kept || (is_left_stopped(known, containers) && !refused)) return;
  step.reasons.push_back(lost_words);
  if (step.action == Action::none && !repair) return;
  step.action = Action::recreate;
  step.risk = risk_of_replacing(rendering.service(step.service), containers);
}

}  // namespace

std::set<int> releases_of(const RunningSet& running) {
  std::set<int> numbers;
  for (const auto& [name, service] : running.services) {
    if (service.release != 0) numbers.insert(service.release);
  }
  return numbers;
}

std::set<std::string> failing_services(const RunningSet& running, const Rendering& rendering,
                                       const Observed& observed) {
  std::set<std::string> already_failing;
  for (const std::string& name : rendering.service_names()) {
    const bool may_be_job = !was_running_at_the_gate(running.find(name));
    if (!all_at_work(containers_of(observed, name), may_be_job)) already_failing.insert(name);
  }
  return already_failing;
}

bool is_stopped_manually(const Container& container) {
  const bool restarts =
      container.restart_policy == "always" || container.restart_policy == "unless-stopped";
  return container.state == ContainerState::exited && restarts;
}

bool is_finished_job(const Container& container) {
  const bool restarts =
      container.restart_policy == "always" || container.restart_policy == "unless-stopped";
  return container.state == ContainerState::exited && container.exit_code == 0 && !restarts;
}

bool is_finished_job(const Container& container, const ReleaseRecord* release) {
  if (!is_finished_job(container)) return false;
  return release == nullptr || release->jobs.contains(container.service) ||
         !release->seen.contains(container.service);
}

Target target_of(const Release& release, const Rendering& rendering) {
  static const std::set<std::string> none;
  Target target;
  target.rendering = &rendering;
  target.mounted_files = &release.mounted_files;
  target.jobs = &none;
  return target;
}

Target target_of(const ReleaseRecord& release, const Rendering& rendering) {
  Target target = target_of(static_cast<const Release&>(release), rendering);
  target.jobs = &release.jobs;
  return target;
}

Plan make_plan(const Target& next, const Base& base, const Observed& observed, bool repair) {
  std::set<std::string> names;
  for (const std::string& name : next.rendering->service_names()) names.insert(name);
  Plan plan;
  for (const Container& container : observed.containers) {
    if (!container.service.empty()) names.insert(container.service);
  }
  for (const std::string& name : names) {
    const auto containers = containers_of(observed, name);
    if (next.rendering->service(name).empty()) {
      Step step;
      step.service = name;
      step.action = Action::remove;
      step.risk = Risk::restart;
      step.reasons.push_back("removed from the compose file");
      plan.steps.push_back(std::move(step));
      continue;
    }
    plan.steps.push_back(step_for(name, next, base, containers, repair));
    if (has_lost_what_it_shares(*next.rendering, observed, name)) {
      renew_lost(plan.steps.back(), *next.rendering, base.running.find(name), containers, repair);
    }
  }
  take_dependants_along(plan, *next.rendering, observed);
  reload_for_new_addresses(plan, *next.rendering, observed);
  return plan;
}

Plan make_return_plan(const Target& older, const Base& base, const Observed& observed) {
  Plan plan = make_plan(older, base, observed, true);
  for (Step& step : plan.steps) {
    if (step.action != Action::none && older.jobs->contains(step.service)) do_not_run_again(step);
  }
  return plan;
}

Plan make_rollback_plan(const Target& good, const Base& base, const Plan& failed,
                        const std::set<std::string>& already_failing, const Observed& observed) {
  Plan plan = make_plan(good, base, observed, false);
  for (Step& step : plan.steps) {
    const bool is_missing = containers_of(observed, step.service).empty() &&
                            was_running_at_the_gate(base.running.find(step.service));
    if (step.action == Action::none && is_missing && !already_failing.contains(step.service)) {
      step.action = Action::create;
    }
    if (step.action == Action::none) continue;
    if (step.action == Action::remove) {
      step.risk = Risk::none;
      step.reasons = {"not in the release that is restored"};
      continue;
    }
    if (good.jobs->contains(step.service)) {
      do_not_run_again(step);
      continue;
    }
    // A service that was not rolled when deploying, for example for lack of memory, is not rolled
    // back that way either.
    const std::vector<std::string> rolled = failed.with(Action::roll);
    const bool may_roll = std::find(rolled.begin(), rolled.end(), step.service) != rolled.end();
    if (step.action == Action::roll && !may_roll) {
      step.action = Action::recreate;
      step.risk = risk_of_replacing(good.rendering->service(step.service),
                                    containers_of(observed, step.service));
    }
    const bool keeps_container = step.action == Action::restart || step.action == Action::reload;
    const bool by_files = keeps_container && step.reasons.front() != down_words;
    step.reasons.insert(step.reasons.begin(), by_files ? "mounted files put back" : "put back");
  }
  return plan;
}

RunningSet running_after(const ReleaseRecord& release, const RunningSet& before, const Plan& plan,
                         const std::vector<Container>& containers) {
  RunningSet running;
  running.release = release.number;
  for (const auto& [name, pin] : release.images) running.services[name].release = release.number;
  std::set<std::string> left_alone;
  for (const Step& step : plan.steps) {
    if (step.action == Action::none) left_alone.insert(step.service);
  }
  for (const Container& container : containers) {
    if (container.service.empty()) continue;
    RunningService& service = running.services[container.service];
    service.release = release.number;
    service.containers.insert(container.id);
    const RunningService* const known =
        left_alone.contains(container.service) ? before.find(container.service) : nullptr;
    if (!was_running_at_the_gate(known) && is_finished_job(container)) service.is_job = true;
  }
  for (const std::string& name : left_alone) {
    const RunningService* const known = before.find(name);
    if (known == nullptr || known->release == 0) continue;
    RunningService& service = running.services[name];
    service.release = release.number;
    service.containers = known->containers;
    service.is_job = service.is_job || known->is_job;
  }
  for (auto& [name, service] : running.services) {
    const RunningService* const known = before.find(name);
    const bool is_verified = before.release == release.number && known != nullptr &&
                             known->release == release.number && !known->is_touched;
    if (is_verified && service.containers.empty()) service = *known;
  }
  // A rollback removes a job's container, but the job still counts as finished.
  for (const std::string& job : release.jobs) {
    const auto found = running.services.find(job);
    if (found != running.services.end() && found->second.containers.empty()) {
      found->second.is_job = true;
    }
  }
  return running;
}

std::vector<std::string> drift(int number, const RunningSet& running, const Rendering& rendering,
                               const Observed& observed) {
  std::vector<std::string> words;
  for (const std::string& name : rendering.service_names()) {
    const auto containers = containers_of(observed, name);
    const RunningService* const known = running.find(name);
    if (known == nullptr || all_stopped_manually(containers)) continue;
    // Of a release that did not pass its gate that is known.
    if (known->is_touched && running.release != number) continue;
    const std::string differs = difference_from_seen(*known, containers);
    if (!differs.empty()) words.push_back(name + ": " + (known->is_touched ? unverified : differs));
    if (has_lost_what_it_shares(rendering, observed, name)) {
      words.push_back(name + ": " + lost_words);
    }
  }
  for (const Container& container : observed.containers) {
    if (rendering.service(container.service).empty()) {
      words.push_back(container.service + ": is running, but is not in the release");
    }
  }
  return words;
}

}  // namespace trimtab
