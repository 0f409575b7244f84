// The world around the daemon: what lies in the remote and the registry, what runs on the host, and
// what goes wrong. It outlives the daemon, as the real one does, and moves by itself.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "agent/model/observed.hpp"
#include "common/async.hpp"
#include "common/json.hpp"
#include "tests/simulation/virtual_clock.hpp"

namespace trimtab::simulation {

// Of a file in this world.
inline constexpr std::size_t max_bytes = 1 << 20;

// What a container does once it runs, as far as its image decides it.
struct Behaviour {
  std::optional<WorldTime> ends_after;  // with exit code 1
  bool has_health_check = false;
  WorldTime answers_after{0};           // healthy from then on, if it has a health check
  std::optional<WorldTime> ails_after;  // unhealthy from then on
  bool starts = true;                   // the runtime finds its command
  [[nodiscard]] bool works() const { return !ends_after && !ails_after && starts; }
};

struct WorldImage {
  std::string repository;  // acme/web
  std::string digest;
  Behaviour behaviour;
  bool is_named = true;  // on the host: as it was pulled
  [[nodiscard]] std::string pinned() const { return repository + "@" + digest; }
};

struct WorldCommit {
  std::string id;
  std::string subject;
  std::map<std::string, std::string> files;  // path → text
};

struct WorldContainer {
  Container seen;  // as the Engine shows it
  Behaviour behaviour;
  std::string definition;  // hash of the service that it was made from; "": by hand
  std::uint64_t life = 0;  // counts its starts, so that what an earlier one planned is void
};

struct WorldVolume {
  int made = 0;  // counts volumes: another number is another volume
};

// What goes wrong until it is switched off again.
struct Faults {
  bool remote_away = false;
  bool registry_away = false;
  bool engine_away = false;
  bool compose_fails = false;  // `up` ends with an error of the host's
  bool hooks_fail = false;     // those in containers that run
  bool hooks_hang = false;
  bool systemd_away = false;
};

// That one begins, or how it ended.
struct HookNews {
  std::string program;
  std::string phase;
  std::optional<int> exit;
};

class ServiceManager;

class World {
 public:
  // `directory`: where its files lie; emptied first.
  World(std::uint64_t seed, std::filesystem::path directory);

  // ---- Time
  [[nodiscard]] WorldTime now() const { return virtual_clock::now(); }
  // Has `what` happen after `wait`.
  void after(WorldTime wait, std::function<void()> what);
  [[nodiscard]] WorldTime next_event() const;
  // What is due by now.
  void move();

  // ---- Chance
  // From 0 up to, not including, `bound`.
  std::uint64_t roll(std::uint64_t bound);
  bool chance(int percent) { return roll(100) < static_cast<std::uint64_t>(percent); }
  WorldTime between(WorldTime least, WorldTime most);

  // ---- The story so far
  void tell(const std::string& line);
  [[nodiscard]] const std::vector<std::string>& story() const { return story_; }

  // ---- Outside
  const WorldImage& publish(const std::string& tagged, Behaviour behaviour);
  const WorldCommit& push(std::string subject, std::map<std::string, std::string> files);
  [[nodiscard]] const WorldCommit* find_commit(const std::string& id) const;

  // The time that a call of the daemon takes, at whose end it may be killed.
  Task<Result<void>> answer(WorldTime least, WorldTime most);

  // ---- The Engine. Each as the command of that name; false where there is no such container.
  WorldContainer& create(Container seen, const Behaviour& behaviour, std::string definition);
  WorldContainer* find(const std::string& id_or_name);
  bool start(const std::string& id);
  bool stop(const std::string& id);
  bool restart(const std::string& id);
  bool kill(const std::string& id);
  // Where it was made for one command, which has ended.
  void finish(const std::string& id, int exit_code);
  bool remove(const std::string& id);
  void rename(const std::string& id, const std::string& name);
  std::vector<Container> containers() const;
  // Everything stops, and what is to restart comes back with it.
  void restart_engine(WorldTime away);

  std::filesystem::path live() const { return directory_ / "live"; }
  std::filesystem::path state() const { return directory_ / "state"; }
  std::filesystem::path units() const { return directory_ / "units"; }

  Faults faults;
  std::map<std::string, WorldImage> registry;  // by digest
  std::map<std::string, std::string> tags;     // acme/web:latest → digest
  std::vector<WorldCommit> commits;
  std::string tip;                                // of the branch
  std::map<int, std::string> kept_commits;        // release → what Git keeps for it
  std::map<std::string, WorldImage> images;       // on the host, by digest, which is the id too
  std::map<std::string, std::string> local_tags;  // on the host → id
  std::map<std::string, WorldVolume> volumes;
  std::set<std::string> networks;
  std::map<std::string, WorldContainer> all;  // by id
  // Who follows the Engine's events; replaced by the next daemon.
  std::function<void(const EngineEvent&)> on_event;
  std::function<void()> on_engine_lost;
  std::function<void(const HookNews&)> on_hook;
  bool has_hooks = false;             // the stack
  ServiceManager* systemd = nullptr;  // null: it does not run here
  WallTime engine_since{};            // when Docker was started
  int volumes_made = 0;
  int rounds = 0;                 // of the daemon's loop
  int deeds = 0;                  // of the daemon's and its Compose's, on containers
  int starts = 0;                 // of containers, by them, also of those that ran
  std::set<std::string> stopped;  // ids of containers that the daemon or its Compose has stopped
  std::set<std::string> removed_at_boot;  // ids of containers, by the unit that boots a stack
  std::map<std::string, int> creations;   // definition → containers made of it
  // Calls to the Engine and Compose after which the daemon is killed.
  std::optional<std::uint64_t> calls_left;
  bool is_killed = false;  // by that; nothing more is done for it

 private:
  struct Due {
    WorldTime at;
    std::uint64_t order;
    std::function<void()> what;
  };
  void announce(const WorldContainer& container, const std::string& action, int exit_code = 0);
  void begin_life(WorldContainer& container);
  void end(WorldContainer& container, int exit_code, bool by_hand);

  std::filesystem::path directory_;
  std::mt19937_64 dice_;
  bool tells_of_stops_first_;  // "stop" and then "die", as Engines from 23 on mostly do
  std::vector<Due> queue_;     // a heap
  std::uint64_t order_ = 0;
  std::vector<std::string> story_;
  int images_made_ = 0;
  int containers_made_ = 0;
  int engine_restarts_ = 0;
  std::set<std::string> comes_back_;  // ids of containers, with the Engine
};

}  // namespace trimtab::simulation
