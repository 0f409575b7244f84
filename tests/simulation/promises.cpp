// The promises that a life checks.
#include <algorithm>

#include "agent/compose/compose_yaml.hpp"
#include "agent/record/rendering.hpp"
#include "tests/simulation/life.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

// Of one definition, in one life: its own tries, and those of whoever asks for it again.
constexpr int most_creations = 12;
constexpr int releases_per_event = 4;

// Without whatever follows the gate.
bool passes_gate(const Behaviour& behaviour) {
  const bool ends = behaviour.ends_after && *behaviour.ends_after < 10s;
  return behaviour.starts && !ends && !behaviour.ails_after;
}

}  // namespace

void Life::break_promise(const std::string& how) {
  if (broken_) return;
  broken_ = how;
  world_.tell("BROKEN: " + how);
}

void Life::count_deployments() {
  const std::optional<Attempt>& attempt = daemon_->stack().store().attempt();
  const auto since = attempt ? std::optional(attempt->started_at) : std::nullopt;
  if (since && since != deploys_since_) ++deployments_;
  deploys_since_ = since;
}

void Life::check_always() {
  if (daemon_) count_deployments();
  if (daemon_) check_good_ones();
  check_volumes();
  check_what_is_not_ours();
  for (const auto& [definition, count] : world_.creations) {
    if (count <= most_creations + excused_creations_) continue;
    break_promise("a container was made " + std::to_string(count) + " times of one definition");
  }
}

bool Life::content_works(const Rendering& rendering) const {
  for (const std::string& name : rendering.service_names()) {
    const Json& service = rendering.service(name);
    const std::string pinned = json_string(service, "image");
    const auto image = world_.registry.find(pinned.substr(pinned.find('@') + 1));
    if (image == world_.registry.end()) return false;
    if (!passes_gate(behaviour_of(service, image->second.behaviour))) return false;
  }
  return true;
}

// Good was judged: what cannot pass a gate is never good.
void Life::check_good_ones() {
  const Store& store = daemon_->stack().store();
  for (const auto& [number, release] : store.releases()) {
    if (release.outcome != Outcome::good || !seen_good_.insert(number).second) continue;
    world_.tell("  release " + std::to_string(number) + " is good");
    const Result<Rendering> rendering = read_rendering(store, number);
    if (!rendering)
      return break_promise("a good release cannot be read: " + rendering.error().text());
    if (content_works(*rendering)) continue;
    break_promise("release " + std::to_string(number) +
                  " is good, though what it runs cannot work");
  }
}

void Life::check_volumes() {
  for (const auto& [name, volume] : world_.volumes) {
    const int first = volumes_made_.try_emplace(name, volume.made).first->second;
    if (first != volume.made) return break_promise("the volume " + name + " was made anew");
  }
  for (const auto& [name, made] : volumes_made_) {
    if (world_.volumes.contains(name) || lost_volumes_.contains(name)) continue;
    return break_promise("the volume " + name + " is gone");
  }
}

void Life::check_what_is_not_ours() {
  for (const std::string& id : not_ours_) {
    const auto found = world_.all.find(id);
    if (found == world_.all.end()) return break_promise("somebody else's container was removed");
    if (world_.stopped.contains(id)) return break_promise("somebody else's container was stopped");
  }
}

// People see in status which of its services do not run.
bool Life::is_seen_as_it_is(const Container& truth) const {
  for (const Container& seen : daemon_->stack().observed().containers) {
    if (seen.id == truth.id) return seen.state == truth.state && seen.health == truth.health;
  }
  return false;
}

std::optional<std::pair<std::string, std::string>> Life::mixed_service() const {
  const Store& store = daemon_->stack().store();
  const Release* const current = store.current();
  if (current == nullptr) return std::pair{"", "no release is current"};
  const Result<Rendering> rendering = read_rendering(store, current->number);
  if (!rendering) return std::pair{"", rendering.error().text()};
  for (const std::string& name : rendering->service_names()) {
    const std::string wanted = definition_of(rendering->service(name));
    int count = 0;
    for (const auto& [id, container] : world_.all) {
      if (container.seen.service != name || not_ours_.contains(id)) continue;
      ++count;
      if (container.definition != wanted) return std::pair{name, "runs what another release says"};
      if (is_seen_as_it_is(container.seen)) continue;
      return std::pair{name, "is not seen as it is"};
    }
    if (count != 1) return std::pair{name, "has " + std::to_string(count) + " containers"};
  }
  return std::nullopt;
}

bool Life::tip_works() const {
  const WorldCommit* const tip = world_.find_commit(world_.tip);
  const Result<Json> file = parse_yaml(tip->files.at("compose.yaml"));
  if (!file || !file->contains("services") || (*file)["services"].empty()) return false;
  for (const auto& item : (*file)["services"].items()) {
    const auto tagged = world_.tags.find(json_string(item.value(), "image"));
    if (tagged == world_.tags.end()) return false;
    Json service = item.value();
    if (service.contains("environment") && service["environment"]["MODE"] == "${WEB_MODE}") {
      service["environment"]["MODE"] = env_mode_;
    }
    const Behaviour behaviour = behaviour_of(service, world_.registry.at(tagged->second).behaviour);
    if (!behaviour.works()) return false;
  }
  return true;
}

void Life::check_at_rest() {
  const Reconciler& stack = daemon_->stack();
  const Store& store = stack.store();
  const int most_releases = 4 + releases_per_event * static_cast<int>(story_.size());
  if (store.next_number() > most_releases) {
    break_promise("there have been " + std::to_string(store.next_number() - 1) + " releases");
  }
  const StackState state = stack.situation().state;
  const std::string said = std::string(to_string(state)) + " (" + stack.situation().reason + ")";
  world_.tell("at rest: " + said);
  const auto mixed = mixed_service();
  const std::string told = stack.situation().reason + join(stack.drift(), " ");
  if (mixed && (mixed->first.empty() || told.find(mixed->first) == std::string::npos)) {
    break_promise("status says " + said + ", but " + mixed->first + " " + mixed->second);
  }
  const Release* const current = store.current();
  // What an operator has gone back from stays away, also where a later commit has it.
  const bool went_back = std::any_of(story_.begin(), story_.end(), [](const StoryEvent& event) {
    return event.what == Happening::roll_back;
  });
  if (!went_back && lost_volumes_.empty() && not_ours_.empty() && tip_works() &&
      (current == nullptr || current->commit != world_.tip)) {
    break_promise("what Git asks for works and does not run: status says " + said);
  }
  // Going back waits for what was lost, or until what is not ours is out of the way, for as long as
  // that takes.
  if (store.attempt() && lost_volumes_.empty() && not_ours_.empty())
    break_promise("a deployment has no end: status says " + said);
}

}  // namespace trimtab::simulation
