// Replaces a service's containers without losing a request: each new one works before an old one is
// removed. Each step observes the containers and either adds one or, once that is healthy, removes
// an old one. The ones to be removed are recorded before the first new one is added, so that after
// a kill old and new can be told apart. A new container that does not work is removed, and the
// release fails while the old one serves.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/compose/compose.hpp"
#include "agent/config/settings.hpp"
#include "agent/docker/docker.hpp"
#include "agent/execute/progress.hpp"
#include "agent/execute/proxy_turnover.hpp"
#include "agent/model/outcome.hpp"
#include "agent/model/release.hpp"
#include "agent/record/store.hpp"

namespace trimtab {

// Collaborators of a rolling update, which must all outlive it.
struct RollingUpdateDeps {
  const StackSettings& settings;
  const std::string& project;
  Docker& docker;
  Compose& compose;
  const Store& store;
  Progress& progress;
  WakeEvent& engine_changed;
  const bool& stop_requested;
};

struct RollingUpdateSpec {
  std::string service;
  std::filesystem::path compose_file;  // of the release of the new containers
  const Rendering* rendering;          // of that release; outlives the update
  std::string image_id;
  std::set<std::string> outgoing;        // ids of the containers to be removed
  std::set<std::string> with_new_files;  // services whose mounted files the release changes
  bool others_start = false;             // other services were started as well
  bool going_back = false;               // continues although a proxy cannot be reloaded
};

// The containers of a rolled service.
struct RollState {
  int outgoing = 0;
  int incoming = 0;
  int replicas = 1;   // wanted
  int at_a_time = 1;  // new ones at once
};

struct RollTurn {
  enum class Kind {
    finish,  // exactly the wanted containers exist
    prune,   // removes `count` old ones once the new ones work
    add,     // adds up to `count` in all
  };
  Kind kind = Kind::finish;
  int count = 0;

  friend bool operator==(const RollTurn&, const RollTurn&) = default;
};

// Pure.
RollTurn next_turn(const RollState& state);

// More than 15 members: the steps of one update, which share its containers and deadlines.
class RollingUpdate {
 public:
  RollingUpdate(RollingUpdateDeps deps, RollingUpdateSpec roll);

  // If a new container does not work it is removed, and the containers not replaced yet keep
  // running: see failure(). cancelled if a stop was requested.
  Task<Result<void>> run();
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

 private:
  struct Present {
    std::vector<Container> all;  // of the stack
    std::vector<Container> outgoing;
    std::vector<Container> incoming;
  };
  Task<Result<Present>> observe();
  Task<Result<void>> take_turns();
  Task<Result<void>> tidy();
  Task<Result<void>> add(int up_to);
  Task<Result<void>> wait_until_healthy();
  void pass_by_what_does_not_work(const Present& present);
  Task<void> note_failure(FailureCause cause, std::string reason);
  Task<Result<void>> remove_failed();
  Task<Result<void>> prune(std::size_t count);
  Task<Result<void>> restore_proxy_hosts();

  RollingUpdateDeps deps_;
  RollingUpdateSpec roll_;
  int replicas_;
  ProxyTurnover turnover_;
  std::optional<Failure> failure_;
};

}  // namespace trimtab
