#include "tests/simulation/life.hpp"

#include <algorithm>

#include "agent/compose/compose_yaml.hpp"
#include "agent/record/rendering.hpp"
#include "common/files.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

// In which whatever is tried again with patience has its time; in some lives a night.
WorldTime time_of_peace(std::uint64_t seed) {
  return seed % 8 == 0 ? WorldTime(8h) : WorldTime(1h);
}

// Of one definition, in one life: its own tries, and those of whoever asks for it again.
constexpr int most_creations = 12;
constexpr int releases_per_event = 4;
constexpr int most_polls_without_time = 2000;

const char* const web_image = "acme/web:latest";

// Without whatever follows the gate.
bool passes_gate(const Behaviour& behaviour) {
  const bool ends = behaviour.ends_after && *behaviour.ends_after < 10s;
  return behaviour.starts && !ends && !behaviour.ails_after;
}

std::string compose_file(int version, const std::string& mode, const std::string& image) {
  Json file;
  Json& db = file["services"]["db"];
  db["image"] = "acme/db:16";
  db["restart"] = "unless-stopped";
  db["volumes"] = Json::array({"data:/data"});
  Json& web = file["services"]["web"];
  web["image"] = image;
  web["restart"] = "unless-stopped";
  web["environment"]["VERSION"] = std::to_string(version);
  web["environment"]["MODE"] = mode == "fine" ? "${WEB_MODE}" : mode;
  web["depends_on"] = Json::array({"db"});
  file["volumes"]["data"] = Json::object();
  return file.dump();
}

}  // namespace

Life::Life(std::uint64_t seed, std::vector<StoryEvent> story, std::filesystem::path directory)
    : world_(seed, std::move(directory)), peace_(time_of_peace(seed)), story_(std::move(story)) {
  found();
}

Life::~Life() {
  if (daemon_) Daemon::kill(std::move(daemon_));
}

// A stack that was deployed for the first time is what most stories begin with.
void Life::found() {
  Behaviour fine;
  world_.publish("acme/db:16", fine);
  fine.has_health_check = true;
  fine.answers_after = 3s;
  world_.publish(web_image, fine);
  const Result<void> written = write_file_durably(world_.live() / ".env", "WEB_MODE=fine\n");
  if (!written) throw std::runtime_error(written.error().text());
  push("the first", "fine", web_image);
  start_daemon();
}

void Life::start_daemon() {
  world_.tell("the daemon starts");
  daemon_ = std::make_unique<Daemon>(world_);
}

void Life::push(const std::string& subject, const std::string& mode, const std::string& image) {
  world_.push(subject, {{"compose.yaml", compose_file(++version_, mode, image)}});
}

// ---- The story

void Life::happen(const StoryEvent& event) {
  world_.tell("» " + std::string(to_string(event.what)));
  const WorldTime while_ = WorldTime(1s) * (5 + event.detail % 600);
  Behaviour web;
  web.has_health_check = true;
  web.answers_after = WorldTime(1s) * (event.detail % 20);
  switch (event.what) {
    case Happening::push_good:
      return push("good", "fine", web_image);
    case Happening::push_that_ends:
      return push("ends", "ends", web_image);
    case Happening::push_that_ails:
      return push("ails", "ails", web_image);
    case Happening::push_that_ends_late:
      return push("ends late", "ends-late", web_image);
    case Happening::push_without_services:
      world_.push("no services", {{"compose.yaml", "services: {}\n"}});
      return;
    case Happening::push_before_image: {
      const std::string image = "acme/web:v" + std::to_string(version_ + 1);
      push("image comes later", "fine", image);
      world_.after(while_, [this, image, web] { world_.publish(image, web); });
      return;
    }
    case Happening::image_good:
      world_.publish(web_image, web);
      return;
    case Happening::image_that_ends:
      web.ends_after = 1s;
      world_.publish(web_image, web);
      return;
    case Happening::image_that_cannot_start:
      web.starts = false;
      world_.publish(web_image, web);
      return;
    case Happening::edit_env_good:
    case Happening::edit_env_bad: {
      const bool good = event.what == Happening::edit_env_good;
      env_mode_ = good ? "fine-" + std::to_string(event.detail % 3) : "ends";
      const Result<void> written =
          write_file_durably(world_.live() / ".env", "WEB_MODE=" + env_mode_ + "\n");
      if (!written) throw std::runtime_error(written.error().text());
      return;
    }
    case Happening::deploy:
    case Happening::roll_back:
    case Happening::pause:
    case Happening::resume:
      return by_operator(event);
    case Happening::remove_by_hand:
    case Happening::stop_by_hand:
    case Happening::kill_by_hand:
    case Happening::run_beside:
    case Happening::lose_volume:
      return to_containers(event);
    case Happening::restart_engine:
      ++excused_creations_;
      return world_.restart_engine(while_ / 10);
    case Happening::remote_away:
      world_.faults.remote_away = true;
      return world_.after(while_, [this] { world_.faults.remote_away = false; });
    case Happening::registry_away:
      world_.faults.registry_away = true;
      return world_.after(while_, [this] { world_.faults.registry_away = false; });
    case Happening::compose_fails:
      world_.faults.compose_fails = true;
      return world_.after(while_, [this] { world_.faults.compose_fails = false; });
    case Happening::kill_daemon:
      if (!daemon_) return;
      Daemon::kill(std::move(daemon_));
      world_.after(while_ / 60, [this] { start_daemon(); });
      return;
  }
}

void Life::by_operator(const StoryEvent& event) {
  if (!daemon_) return;
  Result<std::string> answer = std::string();
  if (event.what == Happening::deploy) answer = daemon_->stack().deploy("");
  if (event.what == Happening::roll_back) answer = daemon_->stack().rollback(0);
  if (event.what == Happening::pause) answer = daemon_->stack().pause("");
  if (event.what == Happening::resume) answer = daemon_->stack().resume();
  world_.tell("  is told: " + (answer ? "accepted" : answer.error().text()));
  excused_creations_ += 3;
}

void Life::to_containers(const StoryEvent& event) {
  ++excused_creations_;
  if (event.what == Happening::run_beside) {
    Container like_web;
    like_web.name = "copy-" + std::to_string(event.detail % 1000);
    like_web.project = "shop";
    like_web.service = "web";
    like_web.is_counted = event.detail % 2 == 0;
    like_web.is_marked = like_web.is_counted;
    like_web.restart_policy = "no";
    const std::string id = world_.create(like_web, Behaviour(), "").seen.id;
    world_.start(id);
    not_ours_.insert(id);
    return;
  }
  if (event.what == Happening::lose_volume) {
    const WorldContainer* const db = world_.find("shop-db-1");
    if (db == nullptr || world_.volumes.erase("shop_data") == 0) return;
    lost_volumes_.insert("shop_data");
    const std::string id = db->seen.id;
    world_.stop(id);
    world_.remove(id);
    return;
  }
  std::vector<Container> containers = world_.containers();
  std::erase_if(containers, [&](const Container& one) { return not_ours_.contains(one.id); });
  if (containers.empty()) return;
  const Container& one = containers[event.detail % containers.size()];
  world_.tell("  " + one.name);
  if (event.what == Happening::kill_by_hand) {
    world_.kill(one.id);
    return;
  }
  world_.stop(one.id);
  if (event.what == Happening::remove_by_hand) world_.remove(one.id);
}

// ---- Living

void Life::live_until(WorldTime end) {
  while (!broken_) {
    const std::size_t done = daemon_ ? daemon_->poll() : 0;
    check_always();
    WorldTime next = std::min(world_.next_event(), virtual_clock::next_timer());
    if (done > 0 && next <= world_.now()) {
      if (++idle_polls_ > most_polls_without_time) {
        return break_promise("the loop turns without an end, and time does not go on");
      }
    }
    if (next > end) return virtual_clock::advance_to(end);
    if (next > world_.now()) idle_polls_ = 0;
    virtual_clock::advance_to(next);
    world_.move();
    virtual_clock::fire_timers();
  }
}

std::optional<std::string> Life::run() {
  live_until(world_.now() + 2min);
  const WorldTime begin = world_.now();
  for (const StoryEvent& event : story_) {
    live_until(begin + event.at);
    if (broken_) return broken_;
    happen(event);
  }
  live_until(world_.now() + 15min);  // by then every fault has ended
  if (broken_) return broken_;
  world_.tell("» from here on nothing goes wrong");
  if (daemon_->stack().store().intent().paused) by_operator({{}, Happening::resume, 0});
  live_until(world_.now() + peace_);
  if (!broken_) check_at_rest();
  return broken_;
}

// ---- Promises

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
  // Going back waits for what was lost, for as long as that takes.
  if (store.attempt() && lost_volumes_.empty())
    break_promise("a deployment has no end: status says " + said);
}

}  // namespace trimtab::simulation
