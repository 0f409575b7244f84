#include "agent/plan/diff.hpp"

#include <algorithm>
#include <set>

#include "agent/model/reference.hpp"
#include "agent/model/reload.hpp"
#include "agent/model/service.hpp"
#include "agent/plan/rolling.hpp"

namespace trimtab {
namespace {

using Reasons = std::vector<std::string>;

std::vector<const Container*> containers_of(const Observed& observed, const std::string& service) {
  std::vector<const Container*> found;
  for (const Container& container : observed.containers) {
    if (container.service == service) found.push_back(&container);
  }
  return found;
}

std::string digest_of(const std::string& image) {
  const auto at = image.find('@');
  return at == std::string::npos ? image : image.substr(at + 1);
}

// "" for an image of this host alone, which is pinned by its id.
std::string name_of(const std::string& image) {
  return image.rfind("sha256:", 0) == 0 ? std::string() : image.substr(0, image.find('@'));
}

std::string describe_image_change(const std::string& old_image, const std::string& new_image) {
  const std::string old_name = name_of(old_image);
  const std::string new_name = name_of(new_image);
  const std::string old_digest = short_digest(digest_of(old_image));
  const std::string new_digest = short_digest(digest_of(new_image));
  if (old_name == new_name) return "image " + old_digest + "… → " + new_digest + "…";
  return "image " + (old_name.empty() ? old_digest + "…" : old_name) + " → " +
         (new_name.empty() ? new_digest + "…" : new_name);
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

// Why Compose is to replace the container: the definitions differ.
Reasons definition_changes(const Json& before, const Json& after) {
  Reasons reasons;
  const std::string old_image = json_string(before, "image");
  const std::string new_image = json_string(after, "image");
  if (old_image != new_image) reasons.push_back(describe_image_change(old_image, new_image));
  std::set<std::string> keys;
  for (const auto& item : before.items()) keys.insert(item.key());
  for (const auto& item : after.items()) keys.insert(item.key());
  for (const std::string& key : keys) {
    // The order of starting and our own settings are no part of a container.
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

// The definitions that a service's `configs:`, `secrets:` and `networks:` name lie outside of it.
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
        reasons.push_back(std::string(word) + " changed: " + name);
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

Reasons mounted_changes(const Target& next, const Target& current, const std::string& service) {
  static const std::map<std::string, std::string> no_files;
  const auto files_of = [&](const Target& target) -> const std::map<std::string, std::string>& {
    const auto found = target.mounted_files->find(service);
    return found == target.mounted_files->end() ? no_files : found->second;
  };
  const auto& before = files_of(current);
  const auto& after = files_of(next);
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

bool all_stopped_by_hand(const std::vector<const Container*>& containers) {
  return !containers.empty() &&
         std::all_of(containers.begin(), containers.end(),
                     [](const Container* c) { return is_stopped_by_hand(*c); });
}

bool was_running_at_the_gate(const Target& target, const std::string& service) {
  return target.seen != nullptr && target.seen->contains(service) &&
         (target.jobs == nullptr || !target.jobs->contains(service));
}

bool all_at_work(const std::vector<const Container*>& containers, bool may_be_job) {
  return !containers.empty() &&
         std::all_of(containers.begin(), containers.end(), [&](const Container* c) {
           return (may_be_job && is_finished_job(*c)) ||
                  (c->state == ContainerState::running && c->health != Health::unhealthy);
         });
}

// What differs from what was seen after the gate: ids that are gone or new.
std::string difference_from_seen(const Target& target, const std::string& service,
                                 const std::vector<const Container*>& containers) {
  if (target.seen == nullptr) return {};
  if (target.jobs != nullptr && target.jobs->contains(service) && containers.empty()) return {};
  static const std::set<std::string> none;
  const auto found = target.seen->find(service);
  const std::set<std::string>& seen = found == target.seen->end() ? none : found->second;
  std::set<std::string> ids;
  for (const Container* container : containers) ids.insert(container->id);
  if (ids == seen) return {};
  if (seen.empty()) return "its container was started by hand";
  if (ids.empty()) return "its container was removed by hand";
  return "its container was replaced by hand";
}

bool any_runs(const std::vector<const Container*>& containers) {
  return std::any_of(containers.begin(), containers.end(),
                     [](const Container* c) { return c->state == ContainerState::running; });
}

// Rolled instead, if the service asks for it and nothing stands in the way.
void roll_if_asked(Step& step, const Rendering& rendering,
                   const std::vector<const Container*>& containers) {
  // Where nothing runs there is nothing to keep running.
  if (!asks_for_start_first(rendering.service(step.service)) || !any_runs(containers)) return;
  const std::string obstacle = obstacle_to_rolling(rendering, step.service);
  if (!obstacle.empty()) {
    step.reasons.push_back("stop-first, since " + obstacle);
    return;
  }
  step.action = Action::roll;
  step.risk = Risk::none;
}

// The service gets new containers, in the way that it asks for.
void replace(Step& step, const Rendering& rendering,
             const std::vector<const Container*>& containers) {
  const Json& service = rendering.service(step.service);
  if (containers.empty()) {
    step.action = Action::create;
    return;
  }
  step.action = Action::recreate;
  step.risk = risk_of_replacing(service);
  roll_if_asked(step, rendering, containers);
}

// A proxy looks up the address of what it passes requests to when it reads its configuration.
// While a service is rolled, whoever rolls it does this too.
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

Step step_for(const std::string& service, const Target& next, const Target* current,
              const std::vector<const Container*>& containers, bool repair) {
  Step step;
  step.service = service;
  const Json& after = next.rendering->service(service);
  const bool known = current != nullptr && !current->rendering->service(service).empty();
  if (!known) {
    step.action = containers.empty() ? Action::create : Action::recreate;
    step.risk = containers.empty() ? Risk::none : risk_of_replacing(after);
    step.reasons.push_back(containers.empty() ? "new" : "started by hand, taken over");
    return step;
  }
  step.reasons = definition_changes(current->rendering->service(service), after);
  const Reasons shared = shared_changes(current->rendering->model, next.rendering->model, after);
  step.reasons.insert(step.reasons.end(), shared.begin(), shared.end());
  if (!step.reasons.empty()) {
    replace(step, *next.rendering, containers);
    return step;
  }
  step.reasons = mounted_changes(next, *current, service);
  if (!step.reasons.empty() && !all_stopped_by_hand(containers)) {
    if (const auto reload = reload_of(after); reload && reload->files && any_runs(containers)) {
      step.action = Action::reload;
      return step;
    }
    step.action = containers.empty() ? Action::create : Action::restart;
    step.risk = containers.empty() ? Risk::none : Risk::restart;
    roll_if_asked(step, *next.rendering, containers);
    return step;
  }
  if (all_stopped_by_hand(containers)) {
    step.reasons = {"stopped by hand"};
    return step;
  }
  if (current->seen == nullptr && !all_at_work(containers, true)) {
    step.reasons.push_back("does not run");
    replace(step, *next.rendering, containers);
    return step;
  }
  const std::string by_hand = difference_from_seen(*current, service, containers);
  if (!by_hand.empty()) {
    step.reasons.push_back(by_hand);
    if (repair) replace(step, *next.rendering, containers);
    return step;
  }
  const bool down = !all_at_work(containers, !was_running_at_the_gate(*current, service));
  if (repair && down && !containers.empty()) {
    step.action = Action::restart;
    step.risk = Risk::restart;
    step.reasons.push_back("does not work");
  }
  return step;
}

}  // namespace

std::set<std::string> unwell_services(const Release& release, const Rendering& rendering,
                                      const Observed& observed) {
  std::set<std::string> unwell;
  const Target target = target_of(release, rendering);
  for (const std::string& name : rendering.service_names()) {
    const bool may_be_job = !was_running_at_the_gate(target, name);
    if (!all_at_work(containers_of(observed, name), may_be_job)) unwell.insert(name);
  }
  return unwell;
}

bool is_stopped_by_hand(const Container& container) {
  const bool restarts =
      container.restart_policy == "always" || container.restart_policy == "unless-stopped";
  return container.state == ContainerState::exited && restarts;
}

bool is_finished_job(const Container& container) {
  const bool restarts =
      container.restart_policy == "always" || container.restart_policy == "unless-stopped";
  return container.state == ContainerState::exited && container.exit_code == 0 && !restarts;
}

bool is_finished_job(const Container& container, const Release* release) {
  if (!is_finished_job(container)) return false;
  return release == nullptr || release->jobs.contains(container.service) ||
         !release->seen.contains(container.service);
}

Target target_of(const Release& release, const Rendering& rendering) {
  Target target;
  target.rendering = &rendering;
  target.mounted_files = &release.mounted_files;
  if (!release.seen.empty()) {
    target.seen = &release.seen;
    target.jobs = &release.jobs;
  }
  return target;
}

Plan make_plan(const Target& next, const Target* current, const Observed& observed, bool repair) {
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
    plan.steps.push_back(step_for(name, next, current, containers, repair));
  }
  reload_for_new_addresses(plan, *next.rendering, observed);
  return plan;
}

Plan make_return_plan(const Target& older, const Target& current, const Observed& observed) {
  Plan plan = make_plan(older, &current, observed, true);
  if (older.jobs == nullptr) return plan;
  for (Step& step : plan.steps) {
    if (step.action == Action::none || !older.jobs->contains(step.service)) continue;
    step.action = Action::remove;
    step.risk = Risk::none;
    step.reasons = {"a job that had done its work before"};
  }
  return plan;
}

Plan make_rollback_plan(const Target& good, const Plan& failed, const Observed& observed) {
  Plan plan;
  std::set<std::string> names;
  for (const std::string& name : good.rendering->service_names()) names.insert(name);
  for (const Container& container : observed.containers) {
    if (!container.service.empty()) names.insert(container.service);
  }
  for (const std::string& name : names) {
    Step step;
    step.service = name;
    const auto containers = containers_of(observed, name);
    if (good.rendering->service(name).empty()) {
      step.action = Action::remove;
      step.reasons.push_back("not in the release that it goes back to");
      plan.steps.push_back(std::move(step));
      continue;
    }
    const std::string differs = difference_from_seen(good, name, containers);
    const auto touched =
        std::find_if(failed.steps.begin(), failed.steps.end(), [&](const Step& candidate) {
          return candidate.service == name && candidate.action != Action::none;
        });
    if (!differs.empty() && good.jobs != nullptr && good.jobs->contains(name)) {
      step.action = Action::remove;
      step.reasons.push_back("a job that had done its work before");
    } else if ((!differs.empty() || good.seen == nullptr) && touched != failed.steps.end()) {
      const bool rolls = touched->action == Action::roll && any_runs(containers) &&
                         obstacle_to_rolling(*good.rendering, name).empty();
      step.action = containers.empty() ? Action::create : rolls ? Action::roll : Action::recreate;
      step.risk = rolls ? Risk::none : risk_of_replacing(good.rendering->service(name));
      step.reasons.push_back("put back");
    } else if (touched != failed.steps.end() && touched->action == Action::restart) {
      step.action = Action::restart;
      step.risk = Risk::restart;
      step.reasons.push_back("mounted files put back");
    } else if (touched != failed.steps.end() && touched->action == Action::reload) {
      step.action = Action::reload;
      step.reasons.push_back("mounted files put back");
    }
    plan.steps.push_back(std::move(step));
  }
  reload_for_new_addresses(plan, *good.rendering, observed);
  return plan;
}

std::vector<std::string> drift(const Target& current, const Observed& observed) {
  std::vector<std::string> words;
  for (const std::string& name : current.rendering->service_names()) {
    const auto containers = containers_of(observed, name);
    if (all_stopped_by_hand(containers)) continue;
    const std::string by_hand = difference_from_seen(current, name, containers);
    if (!by_hand.empty()) words.push_back(name + ": " + by_hand);
  }
  for (const Container& container : observed.containers) {
    if (current.rendering->service(container.service).empty()) {
      words.push_back(container.service + ": runs, but is not in the release");
    }
  }
  return words;
}

}  // namespace trimtab
