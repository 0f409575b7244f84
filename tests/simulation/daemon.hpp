// The daemon's own parts, as agent.cpp puts them together, in the simulated world: the reconciler,
// its watchers, and the store on its real files.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "agent/reconcile/reconciler.hpp"
#include "tests/simulation/compose.hpp"
#include "tests/simulation/engine.hpp"
#include "tests/simulation/sources.hpp"
#include "tests/simulation/units.hpp"

namespace trimtab::simulation {

// Of the stack; few, so that some are retired in most lives.
inline constexpr int releases_kept = 3;

// The stack that lives are about.
StackSettings simulated_stack(const World& world);

class Daemon {
 public:
  // Starts with what lies in the world's state directory. Throws std::runtime_error where it
  // cannot.
  explicit Daemon(World& world);

  [[nodiscard]] Reconciler& stack() { return *stack_; }
  [[nodiscard]] const Compose& compose() const { return compose_; }
  // Carries the request out; a daemon that is killed meanwhile answers nothing.
  using Answered = std::function<void(const Result<std::string>&)>;
  void ask(Task<Result<std::string>> request, Answered answered);
  // Runs what is ready; gives how much that was.
  std::size_t poll() { return loop_.poll(); }

  // As kill -9 ends it: nothing of it runs any more, no destructor either.
  static void kill(std::unique_ptr<Daemon> daemon);

 private:
  static Task<void> answer(Task<Result<std::string>> request, Answered answered);

  asio::io_context loop_;
  SimulatedEngine engine_;
  SimulatedCompose compose_;
  SimulatedRegistry registry_;
  std::unique_ptr<SimulatedUnits> units_;
  EventBus events_;
  AsyncMutex deploy_lock_;
  Projects projects_;
  std::shared_ptr<Reconciler> stack_;
  EngineWatcher engine_watcher_;
  TaskGroup tasks_;
  World& world_;
};

}  // namespace trimtab::simulation
