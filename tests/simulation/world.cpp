#include "tests/simulation/world.hpp"

#include <algorithm>

#include "common/hash.hpp"
#include "common/text.hpp"
#include "tests/simulation/processes.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

bool later(const auto& one, const auto& other) {
  return std::pair(one.at, one.order) > std::pair(other.at, other.order);
}

}  // namespace

World::World(std::uint64_t seed, std::filesystem::path directory)
    : directory_(std::move(directory)), dice_(seed), tells_of_stops_first_(seed % 2 == 1) {
  std::filesystem::remove_all(directory_);
  std::filesystem::create_directories(live());
  std::filesystem::create_directories(state());
  std::filesystem::create_directories(units());
  engine_since = wall_now();
}

// ---- Time

void World::after(WorldTime wait, std::function<void()> what) {
  queue_.push_back({now() + wait, ++order_, std::move(what)});
  std::push_heap(queue_.begin(), queue_.end(),
                 [](const Due& a, const Due& b) { return later(a, b); });
}

WorldTime World::next_event() const {
  return queue_.empty() ? WorldTime::max() : queue_.front().at;
}

void World::move() {
  while (!queue_.empty() && queue_.front().at <= now()) {
    std::pop_heap(queue_.begin(), queue_.end(),
                  [](const Due& a, const Due& b) { return later(a, b); });
    const Due due = std::move(queue_.back());
    queue_.pop_back();
    due.what();
  }
}

// ---- Chance

std::uint64_t World::roll(std::uint64_t bound) {
  return dice_() % bound;  // std::uniform_int_distribution is another one in each library
}

WorldTime World::between(WorldTime least, WorldTime most) {
  return least + WorldTime(static_cast<std::int64_t>(
                     roll(static_cast<std::uint64_t>((most - least).count()) + 1)));
}

// ---- The story

void World::tell(const std::string& line) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now()).count();
  story_.push_back(std::to_string(milliseconds / 1000) + "." +
                   std::to_string(1000 + milliseconds % 1000).substr(1) + " s  " + line);
}

// ---- Outside

const WorldImage& World::publish(const std::string& tagged, Behaviour behaviour) {
  WorldImage image;
  image.repository = tagged.substr(0, tagged.rfind(':'));
  image.digest = "sha256:" + sha256_hex("image " + std::to_string(++images_made_));
  image.behaviour = behaviour;
  tags[tagged] = image.digest;
  return registry[image.digest] = image;
}

const WorldCommit& World::push(std::string subject, std::map<std::string, std::string> files) {
  WorldCommit commit;
  commit.id = sha256_hex("commit " + std::to_string(commits.size())).substr(0, 40);
  commit.subject = std::move(subject);
  commit.files = std::move(files);
  tip = commit.id;
  commits.push_back(std::move(commit));
  return commits.back();
}

const WorldCommit* World::find_commit(const std::string& id) const {
  const auto found = std::find_if(commits.begin(), commits.end(),
                                  [&](const WorldCommit& commit) { return commit.id == id; });
  return found == commits.end() ? nullptr : &*found;
}

Task<Result<void>> World::answer(WorldTime least, WorldTime most) {
  const Result<void> waited = co_await sleep_for(between(least, most));
  if (!waited || !calls_left || (*calls_left)-- > 0) co_return waited;
  calls_left.reset();
  is_killed = true;
  // In virtual time: the daemon that waits for this answer is killed before.
  co_return co_await sleep_for(std::chrono::hours(1));
}

// ---- The Engine

void World::announce(const WorldContainer& container, const std::string& action, int exit_code) {
  if (!on_event || faults.engine_away) return;
  EngineEvent event;
  event.time_nano = now().count();
  event.action = action;
  event.id = container.seen.id;
  event.name = container.seen.name;
  event.project = container.seen.project;
  event.service = container.seen.service;
  event.exit_code = exit_code;
  on_event(event);
}

WorldContainer& World::create(Container seen, const Behaviour& behaviour, std::string definition) {
  seen.id = sha256_hex("container " + std::to_string(++containers_made_));
  seen.created_at = wall_now();
  seen.state = ContainerState::created;
  if (!definition.empty()) ++creations[definition];
  WorldContainer& made = all[seen.id];
  made.seen = std::move(seen);
  made.behaviour = behaviour;
  made.definition = std::move(definition);
  announce(made, "create");
  return made;
}

WorldContainer* World::find(const std::string& id_or_name) {
  const auto by_id = all.find(id_or_name);
  if (by_id != all.end()) return &by_id->second;
  for (auto& [id, container] : all) {
    if (container.seen.name == id_or_name) return &container;
  }
  return nullptr;
}

bool World::start(const std::string& id) {
  WorldContainer* const container = find(id);
  if (container == nullptr) return false;
  if (container->seen.state == ContainerState::running) return true;
  container->seen.restart_count = 0;
  container->seen.error.clear();
  if (container->behaviour.starts) {
    begin_life(*container);
  } else {
    container->seen.error = "exec: \"./start\": executable file not found in $PATH";
  }
  return true;
}

void World::begin_life(WorldContainer& container) {
  const std::uint64_t life = ++container.life;
  const std::string id = container.seen.id;
  container.seen.state = ContainerState::running;
  container.seen.pid = 1;
  container.seen.exit_code = 0;
  container.seen.started_at = wall_now();
  const Behaviour& behaviour = container.behaviour;
  container.seen.health = behaviour.has_health_check ? Health::starting : Health::none;
  announce(container, "start");
  const auto later_in_this_life = [this, id, life](WorldTime wait, auto what) {
    after(wait, [this, id, life, what] {
      const auto found = all.find(id);
      if (found == all.end() || found->second.life != life) return;
      if (found->second.seen.state == ContainerState::running) what(found->second);
    });
  };
  if (behaviour.has_health_check) {
    later_in_this_life(behaviour.answers_after, [this](WorldContainer& self) {
      self.seen.health = Health::healthy;
      announce(self, "health_status: healthy");
    });
  }
  if (behaviour.ails_after && behaviour.has_health_check) {
    later_in_this_life(*behaviour.ails_after, [this](WorldContainer& self) {
      self.seen.health = Health::unhealthy;
      announce(self, "health_status: unhealthy");
    });
  }
  if (behaviour.ends_after) {
    later_in_this_life(*behaviour.ends_after,
                       [this](WorldContainer& self) { end(self, 1, false); });
  }
}

// As the Engine does it for a container whose policy is unless-stopped.
void World::end(WorldContainer& container, int exit_code, bool by_hand) {
  container.seen.pid = 0;
  container.seen.exit_code = exit_code;
  container.seen.finished_at = wall_now();
  const bool comes_back = !by_hand && container.seen.restart_policy != "no";
  container.seen.state = comes_back ? ContainerState::restarting : ContainerState::exited;
  const std::uint64_t life = ++container.life;
  announce(container, "die", exit_code);
  const std::string id = container.seen.id;
  processes::end_in(id);
  // As `compose run --rm` makes it.
  if (container.seen.oneoff) after(0s, [this, id] { remove(id); });
  if (!comes_back) return;
  const int doublings = std::min(container.seen.restart_count, 9);
  after(100ms * (1 << doublings), [this, id, life] {
    const auto found = all.find(id);
    if (found == all.end() || found->second.life != life) return;
    ++found->second.seen.restart_count;
    begin_life(found->second);
  });
}

bool World::stop(const std::string& id) {
  WorldContainer* const container = find(id);
  if (container == nullptr) return false;
  const ContainerState state = container->seen.state;
  if (state != ContainerState::running && state != ContainerState::restarting) return true;
  announce(*container, "kill");
  if (tells_of_stops_first_) announce(*container, "stop");
  end(*container, 0, true);
  if (!tells_of_stops_first_) announce(*container, "stop");
  return true;
}

bool World::restart(const std::string& id) {
  if (!stop(id) || !start(id)) return false;
  announce(*find(id), "restart");
  return true;
}

bool World::kill(const std::string& id) {
  WorldContainer* const container = find(id);
  if (container == nullptr || container->seen.state != ContainerState::running) return false;
  announce(*container, "kill");
  end(*container, 137, true);
  return true;
}

void World::finish(const std::string& id, int exit_code) {
  WorldContainer* const container = find(id);
  if (container != nullptr && container->seen.oneoff) end(*container, exit_code, true);
}

bool World::remove(const std::string& id) {
  WorldContainer* const container = find(id);
  if (container == nullptr) return false;
  const WorldContainer gone = *container;
  all.erase(gone.seen.id);
  announce(gone, "destroy");
  return true;
}

void World::rename(const std::string& id, const std::string& name) {
  WorldContainer* const container = find(id);
  if (container == nullptr) return;
  container->seen.name = name;
  announce(*container, "rename");
}

std::vector<Container> World::containers() const {
  std::vector<Container> list;
  for (const auto& [id, container] : all) list.push_back(container.seen);
  std::sort(list.begin(), list.end(), [](const Container& one, const Container& other) {
    return std::tuple(one.service, one.number, one.name) <
           std::tuple(other.service, other.number, other.name);
  });
  return list;
}

// What says `always` comes back with it, whoever has stopped it.
void World::restart_engine(WorldTime away) {
  // One that is restarted before it is back remembers what ran before.
  if (!faults.engine_away) comes_back_.clear();
  faults.engine_away = true;
  for (auto& [id, container] : all) {
    const ContainerState state = container.seen.state;
    const bool runs = state == ContainerState::running || state == ContainerState::restarting;
    const std::string& policy = container.seen.restart_policy;
    const bool was_started = state != ContainerState::created;
    if (policy == "always" ? was_started : runs && policy != "no") comes_back_.insert(id);
    if (runs) end(container, 0, true);
  }
  if (on_engine_lost) on_engine_lost();
  const int restart = ++engine_restarts_;
  after(away, [this, restart] {
    if (restart != engine_restarts_) return;
    faults.engine_away = false;
    engine_since = wall_now();
    for (const std::string& id : comes_back_) {
      const auto found = all.find(id);
      if (found != all.end()) begin_life(found->second);
    }
  });
}

}  // namespace trimtab::simulation
