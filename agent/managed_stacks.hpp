// The stacks that the daemon manages: starts them, replaces those whose settings changed, stops
// them. A stack that cannot be started is retried and keeps no other stack from its work.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/api/api.hpp"
#include "agent/config/settings.hpp"
#include "agent/host_services.hpp"

namespace trimtab {

// More than 15 members: adding, replacing, retrying and stopping work on one set of stacks.
class ManagedStacks {
 public:
  // `host` and `daemon`, the daemon's settings, outlive it.
  ManagedStacks(asio::any_io_executor executor, std::filesystem::path state_directory,
                HostServices& host, const DaemonSettings& daemon);

  // Creates the stacks; start() starts them.
  Task<void> add(std::vector<StackSettings> settings);
  // Starts all stacks, and from now on each one that is added.
  void start();
  [[nodiscard]] bool has_started() const { return started_; }
  // Retries the unavailable stacks, with backoff, until cancelled.
  Task<void> retry_unavailable();

  // Replaces the stacks by those of a configuration that was read again. A stack in `broken` keeps
  // the settings that it has. With `restart_all` every stack is replaced.
  Task<void> update(std::vector<StackSettings> settings, std::set<std::string> broken,
                    bool restart_all);

  // While an error is set no stack is added: without a readable trimtab.yaml none may run on
  // settings that nobody wrote.
  void set_daemon_error(std::optional<Error> error) { daemon_error_ = std::move(error); }
  [[nodiscard]] const std::optional<Error>& daemon_error() const { return daemon_error_; }

  // By name. The references stay valid as long as this object.
  Api::Stacks& reconcilers() { return reconcilers_; }
  [[nodiscard]] const Api::Stacks& reconcilers() const { return reconcilers_; }
  [[nodiscard]] const UnavailableStacks& unavailable() const { return unavailable_; }
  EventBus& events() { return events_; }

  void on_engine_event(const EngineEvent& event);
  void on_engine_change();

  // The three steps of a stop. finish() asks every stack to stop and waits until none is in a phase
  // that must not be cut, for at most stop_timeout or until `*impatient`.
  Task<void> finish(const bool* impatient);
  void cancel();
  Task<void> idle();

  static constexpr std::chrono::seconds stop_timeout{80};

 private:
  struct Stack {
    StackSettings settings;
    std::shared_ptr<Reconciler> reconciler;
    std::unique_ptr<TaskGroup> tasks;
  };
  // When an unavailable stack is retried.
  struct Retry {
    SteadyClock::time_point at;
    int tries = 0;
  };

  void claim_project(const StackSettings& settings);
  Task<void> add_or_retry(StackSettings settings);
  Task<Result<Store>> open_store(std::string name);
  void create(const StackSettings& settings, Store store);
  void start(Stack& stack);
  Task<void> remove(std::string name);

  asio::any_io_executor executor_;
  std::filesystem::path state_directory_;
  HostServices& host_;
  const DaemonSettings& daemon_;
  EventBus events_;
  AsyncMutex deploy_lock_;
  AsyncMutex changes_;  // of the stacks: a reload and a retry never create the same one twice
  Projects projects_;   // outlives the stacks
  std::map<std::string, Stack> stacks_;
  Api::Stacks reconcilers_;
  UnavailableStacks unavailable_;
  std::map<std::string, Retry> retries_;  // of unavailable_, by name
  std::optional<Error> daemon_error_;
  bool started_ = false;
  bool stopping_ = false;
};

}  // namespace trimtab
