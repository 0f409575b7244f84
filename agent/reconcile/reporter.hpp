// Reports on a stack to people: events, the important lines of the log, and the deployment in
// progress.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/execute/deployment_runner.hpp"
#include "agent/notify/milestones.hpp"
#include "agent/reconcile/events.hpp"
#include "agent/reconcile/observer.hpp"
#include "agent/reconcile/requests.hpp"
#include "agent/reconcile/stack_status.hpp"

namespace trimtab {

struct ServiceChange {
  std::string service;
  std::string state;  // of its container, as Docker names it; "missing" if it has none any more
  std::string health;
  friend bool operator==(const ServiceChange&, const ServiceChange&) = default;
};

// Returns how the containers changed since `before`. Each container is compared with itself, so
// that a difference between replicas is no change. Pure.
std::vector<ServiceChange> service_changes(const std::vector<Container>& before,
                                           const std::vector<Container>& now);

// The deployment in progress, for the status.
struct DeploymentView {
  Deployment deployment;
  WallTime phase_started_at;
  std::string pull_image;
  PullProgress pull;
  std::map<std::string, std::string> waiting_for;
  std::optional<SteadyClock::time_point> gate_began_at;  // of a new release
};

// More than 15 members: one per kind of progress, all reported to the same three places.
class Reporter final : public Progress {
 public:
  // All outlive this.
  Reporter(const StackSettings& settings, const Store& store, EventBus& events)
      : settings_(settings), store_(store), events_(events) {}

  void report(Milestone milestone, spdlog::level::level_enum level, const std::string& message,
              const Release* release = nullptr);
  void set_status(StackStatus now);
  [[nodiscard]] const StackStatus& stack_status() const { return stack_status_; }

  // A watcher has polled. Returns whether a remote that was unreachable answers again.
  bool facts(const Facts& facts, const std::map<std::string, ImageReference>& watched);
  // The containers were observed.
  void observation(const Observation& before, const Observation& now);
  void release_ended(const ReleaseRecord& release, const std::optional<Failure>& failure,
                     const std::string& message);
  void request_ended(const RequestResult& result);

  // A deployment begins; `values` are hidden in everything that is reported about it.
  void deployment_begins(KnownValues values) { values_ = std::move(values); }
  void deployment_ends() { deployment_.reset(); }
  [[nodiscard]] const std::optional<DeploymentView>& deployment() const { return deployment_; }

  // When progress was last made; in the future if a step announced that it takes long.
  [[nodiscard]] SteadyClock::time_point last_heartbeat() const { return last_heartbeat_; }
  void beat() { last_heartbeat_ = SteadyClock::now(); }

  void phase_begun(const Deployment& deployment) override;
  void pulling(const std::string& image, const PullProgress& progress) override;
  void waiting_for(const std::map<std::string, std::string>& services) override;
  void note(const std::string& words) override;
  void hook_begun(const std::string& name, std::chrono::milliseconds at_most) override;

 private:
  bool report_remote(const std::optional<Error>& error);
  void report_registries(const Facts& facts, const std::map<std::string, ImageReference>& watched);

  const StackSettings& settings_;
  const Store& store_;
  EventBus& events_;
  StackStatus stack_status_;
  // The facts as the log and the events last reported them.
  struct Told {
    std::optional<Errc> remote_error;
    std::map<std::string, Errc> registry_errors;
    std::string commit;
    std::map<std::string, std::string> digests;  // by image
  };
  Told reported_;
  std::optional<DeploymentView> deployment_;
  KnownValues values_;
  SteadyClock::time_point last_pull_event_{};
  SteadyClock::time_point last_heartbeat_ = SteadyClock::now();
};

}  // namespace trimtab
