// The promises that a life checks.
#include <algorithm>

#include "agent/model/service.hpp"
#include "agent/reconcile/vain_tries.hpp"
#include "agent/record/rendering.hpp"
#include "common/text.hpp"
#include "tests/simulation/compose.hpp"
#include "tests/simulation/engine.hpp"
#include "tests/simulation/life.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

// Of one definition, in one life: its own tries, and those of whoever asks for it again.
constexpr int max_creations = 12;
constexpr int releases_per_event = 4;
constexpr auto max_answer = 1s;
const char* const does_not_run = "does not run";
const char* const is_unhealthy = "is unhealthy";
// Where a name is waited for it is looked for each three seconds.
constexpr int max_rounds_in_an_hour = 1500;
// Those of their own content, those that repeat one, and what runs or may be gone back to.
constexpr std::size_t max_releases_kept = 2 * releases_kept + 6;

// Without whatever follows the gate.
bool passes_gate(const Behaviour& behaviour) {
  const bool ends = behaviour.ends_after && *behaviour.ends_after < 10s;
  return behaviour.starts && !ends && !behaviour.ails_after;
}

bool was_gated(const Deployment& deployment) {
  return std::any_of(deployment.timeline.begin(), deployment.timeline.end(),
                     [](const TimelineEntry& entry) { return entry.phase == "gating"; });
}

}  // namespace

void Life::break_promise(const std::string& how) {
  if (broken_) return;
  broken_ = how;
  world_.tell("BROKEN: " + how);
}

void Life::check_always() {
  if (daemon_) {
    check_rejections();
    follow_deployments();
    check_good_ones();
    check_operator();
  }
  if (starts_first_) check_start_first();
  if (systemd_) check_stop();
  check_volumes();
  check_what_is_not_ours();
  for (const auto& [definition, count] : world_.creations) {
    if (count <= max_creations + excused_creations_) continue;
    break_promise("a container was made " + std::to_string(count) + " times of one definition");
  }
}

std::map<std::string, std::string> Life::what_runs() const {
  std::map<std::string, std::string> services;
  for (const auto& [id, container] : world_.all) {
    // One that ends by itself, again and again, is down for a moment.
    const ContainerState state = container.seen.state;
    const bool runs = state == ContainerState::running || state == ContainerState::restarting;
    if (!is_ours(container) || !runs) continue;
    services[container.seen.service] = container.definition;
  }
  return services;
}

void Life::follow_deployments() {
  const std::optional<Deployment>& deployment = daemon_->stack().store().in_flight();
  const auto since = deployment ? std::optional(deployment->started_at) : std::nullopt;
  const bool goes_back = deployment && (deployment->phase == Phase::rolling_back ||
                                        deployment->phase == Phase::gating_rollback);
  if (goes_back && !daemon_->stack().deployment()) flight_waits_ = true;
  if (since == deploys_since_) return;
  if (deploys_since_) check_way_back(deployed_release_);
  if (deploys_since_) check_end(flight_);
  flight_deeds_ = world_.deeds;
  flight_ = deployment ? deployment->id : 0;
  flight_waits_ = false;
  flight_hands_ = hands_;
  flight_stops_beside_gate_ = stops_beside_gate_;
  flight_began_ = world_.now();
  flight_kills_ = kills_;
  const ReleaseRecord* const disturbed = daemon_->stack().store().find(deployed_release_);
  if (deploys_since_ && people_ != people_before_ && disturbed != nullptr) {
    gone_back_from_.insert(disturbed->commit);
  }
  deploys_since_ = since;
  if (!since) return;
  ++deployments_;
  const Store& store = daemon_->stack().store();
  if (deployment->kind == DeploymentKind::operator_rollback &&
      store.find(deployment->checkout) != nullptr) {
    gone_back_from_.insert(store.find(deployment->checkout)->commit);
  }
  // On probation it goes back to what ran before it was deployed.
  const ReleaseRecord* const tried = store.find(deployment->release);
  if (tried->outcome == Outcome::good && tried->number == deployed_release_) {
    // Before a repair the same content ran, which has not stood the test of time either.
    const Deployment& made_good_by = store.deployments().at(tried->made_good_by);
    if (made_good_by.kind == DeploymentKind::repair) deployed_release_ = 0;
    return;
  }
  // What a deployment that failed has left is nothing to go back to.
  const ReleaseRecord* const current = store.current();
  const bool was_good =
      current != nullptr && current->outcome == Outcome::good && deployment->from.is_whole();
  const bool is_new =
      deployment->kind == DeploymentKind::deploy || deployment->kind == DeploymentKind::repair;
  const bool may_go_back = is_new && tried->outcome != Outcome::good && was_good;
  deployed_release_ = may_go_back ? deployment->release : 0;
  hands_before_ = hands_;
  people_before_ = people_;
  ran_before_ = what_runs();
}

// What operators said is known after any start, and followed.
void Life::check_operator() {
  const Store& store = daemon_->stack().store();
  if (is_paused_ && !store.intent().paused) break_promise("a pause was forgotten");
  const bool goes_on =
      store.in_flight() || (daemon_->stack().last_request() &&
                            daemon_->stack().last_request()->outcome == "in_progress");
  const bool applies = is_paused_ && world_.now() >= pause_applies_from_;
  if (!applies || goes_on) return deeds_while_paused_.reset();
  if (!deeds_while_paused_) deeds_while_paused_ = world_.deeds;
  if (*deeds_while_paused_ != world_.deeds) break_promise("something was done while it was paused");
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

// People see in status which of its services do not run.
bool Life::is_seen_as_it_is(const Container& truth) const {
  for (const Container& seen : daemon_->stack().observation().own.containers) {
    if (seen.id == truth.id) return seen.state == truth.state && seen.health == truth.health;
  }
  return false;
}

// What is wrong with the service, which is to be made from `wanted`; "": nothing.
std::string Life::fault_of(const std::string& service, const std::string& wanted) const {
  int count = 0;
  std::string fault;
  for (const auto& [id, container] : world_.all) {
    const Container& seen = container.seen;
    if (seen.service != service || !is_ours(container)) continue;
    ++count;
    // One that comes and goes may have done so a moment ago.
    const WallTime changed = std::max(seen.started_at, seen.finished_at);
    if (worn_out_.contains(id) && wall_now() - changed < 5s) continue;
    if (seen.state != ContainerState::running && !stopped_manually_.contains(id)) {
      fault = does_not_run;
    }
    if (seen.health == Health::unhealthy) fault = is_unhealthy;
    if (container.definition != wanted) fault = "runs what another release says";
    // Docker's event has come, but the answer to what the daemon then asked may be on its way.
    if (wall_now() - changed < max_answer) continue;
    if (!is_seen_as_it_is(seen)) fault = "is not seen as it is";
  }
  return count == 1 ? fault : "has " + std::to_string(count) + " containers";
}

// A service of the tip, with what its environment and its image are now.
Json Life::wanted_service(Json service) const {
  if (service.contains("environment") && service["environment"]["MODE"] == "${WEB_MODE}") {
    service["environment"]["MODE"] = env_mode_;
  }
  const auto tagged = world_.tags.find(json_string(service, "image"));
  if (tagged == world_.tags.end()) return Json::object();
  service["image"] = world_.registry.at(tagged->second).pinned();
  return service;
}

bool Life::tip_works() const {
  const WorldCommit* const tip = world_.find_commit(world_.tip);
  const Result<Json> file = parse_compose_file(tip->files.at("compose.yaml"));
  if (!file || !file->contains("services") || (*file)["services"].empty()) return false;
  for (const auto& item : (*file)["services"].items()) {
    const Json service = wanted_service(item.value());
    if (service.empty() || !can_migrate(service)) return false;
    const std::string image = json_string(service, "image");
    const WorldImage& published = world_.registry.at(image.substr(image.find('@') + 1));
    if (!behaviour_of(service, published.behaviour).works()) return false;
  }
  return true;
}

bool Life::is_tip_left() const {
  const WorldCommit* const tip = world_.find_commit(world_.tip);
  return std::any_of(gone_back_from_.begin(), gone_back_from_.end(), [&](const std::string& left) {
    return world_.find_commit(left)->files == tip->files;
  });
}

// The host has made what Git asks for fail as often as it is tried without a change.
bool Life::is_vain() const {
  const Releases& releases = daemon_->stack().store().releases();
  return std::any_of(releases.begin(), releases.end(), [&](const auto& entry) {
    const ReleaseRecord& release = entry.second;
    return release.commit == world_.tip &&
           vain_tries(releases, release.content_key, WallTime()) >= max_vain_tries;
  });
}

std::string Life::said() const {
  const StackStatus& stack_status = daemon_->stack().stack_status();
  return std::string(to_string(stack_status.state)) + " (" + stack_status.reason + ")";
}

void Life::check_at_rest() {
  world_.tell("at rest: status says " + said());
  if (!daemon_->stack().store().in_flight()) check_status();
  check_convergence();
  check_containers();
  check_no_hook_left();
  if (systemd_) check_unit();
  check_bounds();
  check_tidiness();
}

// Whatever is not running as the current release says is named, and nothing else is.
void Life::check_status() {
  const Reconciler& stack = daemon_->stack();
  const ReleaseRecord* const current = stack.store().current();
  if (current == nullptr) return break_promise("no release is current: status says " + said());
  const Result<Rendering> rendering = read_rendering(stack.store(), current->number);
  if (!rendering) return break_promise(rendering.error().text());
  const std::string told = stack.stack_status().reason + " " + join(stack.observation().drift, " ");
  bool any = false;
  for (const std::string& name : rendering->service_names()) {
    const std::string fault = fault_of(name, definition_of(rendering->service(name)));
    any = any || !fault.empty() || is_made_by_unit(name);
    // What has failed is told first; the rest is told container by container.
    const bool is_listed = fault == does_not_run || fault == is_unhealthy;
    const StackState state = stack.stack_status().state;
    const bool has_failed = state == StackState::failed || state == StackState::waiting;
    if (has_failed && (is_listed || needs_a_person())) continue;
    if (fault.empty() || told.find(name) != std::string::npos) continue;
    break_promise("status says " + said() + ", but " + name + " " + fault);
  }
  const bool is_alarmed =
      stack.stack_status().state == StackState::degraded || !stack.observation().drift.empty();
  if (is_alarmed && !any && !needs_a_person()) {
    break_promise("everything runs as it should, but status says " + said() + " " + told);
  }
}

void Life::check_convergence() {
  const Store& store = daemon_->stack().store();
  const ReleaseRecord* const current = store.current();
  if (needs_a_person() || current == nullptr) return;
  // What an operator has gone back from stays away, also where a later commit has it.
  const bool is_due = !is_tip_left() && tip_works() && !is_vain();
  if (is_due && current->commit != world_.tip) {
    break_promise("what Git asks for works and is not running: status says " + said());
  }
  if (current->outcome != Outcome::good) {
    break_promise("what runs is no good release: status says " + said());
  }
  if (store.in_flight()) break_promise("a deployment has no end: status says " + said());
  const auto& request = daemon_->stack().last_request();
  if (request && request->outcome == "in_progress") {
    break_promise("a request has no end: status says " + said());
  }
  check_content();
}

// What works of what Git and the registry ask for runs as it is now. What does not, after the gate
// too, has given way to what did, where nobody laid hands on it.
void Life::check_content() {
  const Store& store = daemon_->stack().store();
  const ReleaseRecord* const current = store.current();
  const Result<Rendering> rendering = read_rendering(store, current->number);
  if (!rendering) return;
  const bool is_undisturbed = (hands_ == 0 && kills_ == 0) || was_left_to_itself(*current);
  if (!works_for_good(*rendering) && is_undisturbed &&
      store.last_good_before(*current) != nullptr) {
    break_promise("what runs does not work, and it did not go back: status says " + said());
  }
  if (!gone_back_from_.empty() || !tip_works() || is_vain()) return;
  const WorldCommit* const tip = world_.find_commit(world_.tip);
  const Result<Json> file = parse_compose_file(tip->files.at("compose.yaml"));
  for (const auto& item : (*file)["services"].items()) {
    const Json wanted = wanted_service(item.value());
    const Json& runs = rendering->service(item.key());
    if (json_string(wanted, "image") != json_string(runs, "image")) {
      break_promise("the image of " + item.key() + " has moved, and the one before runs");
    }
    if (environment_of(wanted) != environment_of(runs)) {
      break_promise("the environment of " + item.key() + " is another one than asked for");
    }
  }
}

void Life::check_bounds() {
  const int max_releases = 4 + releases_per_event * static_cast<int>(story_.size());
  const int releases = daemon_->stack().store().next_number() - 1;
  if (releases > max_releases) {
    break_promise("there have been " + std::to_string(releases) + " releases");
  }
  const auto lasted = std::chrono::duration<double, std::ratio<3600>>(world_.now() - peace_began_);
  const auto rounds = static_cast<int>((world_.rounds - rounds_before_peace_) / lasted.count());
  if (rounds > max_rounds_in_an_hour) {
    break_promise("at rest there are " + std::to_string(rounds) + " rounds in an hour");
  }
}

void Life::check_tidiness() {
  const Store& store = daemon_->stack().store();
  if (static_cast<int>(store.deployments().size()) >
      6 * static_cast<int>(store.releases().size())) {
    break_promise(std::to_string(store.deployments().size()) + " deployments are kept");
  }
  for (const auto& [id, deployment] : store.deployments()) {
    const bool is_in_flight = store.in_flight() && store.in_flight()->id == id;
    if (!deployment.ended_at && !is_in_flight) {
      break_promise("deployment " + std::to_string(id) + " has no end and is not in flight");
    }
    // A gate has looked at what runs, but for a commit that changes nothing of what is good.
    if (deployment.outcome == Outcome::good && is_gated(deployment.kind) &&
        !was_gated(deployment)) {
      break_promise("deployment " + std::to_string(id) + " is good without a gate");
    }
  }
  if (store.releases().size() > max_releases_kept) {
    break_promise(std::to_string(store.releases().size()) + " releases are kept");
  }
  std::set<std::string> known;
  std::set<std::string> needed;
  for (const auto& [number, release] : store.releases()) {
    known.insert({release.content_key.substr(0, 64), release.inputs_key.substr(0, 64)});
    const auto commit = world_.kept_commits.find(number);
    const bool is_kept = commit != world_.kept_commits.end() && commit->second == release.commit;
    if (release.outcome == Outcome::good && !is_kept) {
      break_promise("Git may remove the commit of release " + std::to_string(number));
    }
    for (const auto& [service, pin] : release.images)
      needed.insert(id_of_image(world_, pin.pinned));
  }
  for (const auto& [number, commit] : world_.kept_commits) {
    if (store.find(number) != nullptr) continue;
    break_promise("Git keeps the commit of release " + std::to_string(number) + ", which is gone");
  }
  for (const std::string& key : store.rejected()) {
    if (known.contains(key.substr(0, 64)) || !store.problems().empty()) continue;
    break_promise("a rejected key outlives its releases");
  }
  for (const auto& [id, container] : world_.all) needed.insert(container.seen.image_id);
  for (const auto& [id, image] : world_.images) {
    if (!needed.contains(id)) break_promise("an image is left that no release needs");
  }
  for (const auto& entry : std::filesystem::directory_iterator(store.directory() / "releases")) {
    const std::string name = entry.path().filename().string();
    if (store.find(std::atoi(name.c_str())) != nullptr) continue;
    break_promise("releases/" + name + " is left of a release that is kept no more");
  }
  for (const std::filesystem::path& folder : {store.directory(), store.directory() / "releases"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with('.')) break_promise("the temporary file " + name + " is left");
    }
  }
}

}  // namespace trimtab::simulation
