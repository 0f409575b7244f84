// Reconciles one stack: takes a snapshot, decides, acts.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/execute/deployment_runner.hpp"
#include "agent/reconcile/assessment.hpp"
#include "agent/reconcile/candidate.hpp"
#include "agent/reconcile/decide.hpp"
#include "agent/reconcile/heartbeats.hpp"
#include "agent/reconcile/inputs.hpp"
#include "agent/reconcile/observer.hpp"
#include "agent/reconcile/preflight_report.hpp"
#include "agent/reconcile/probation_watch.hpp"
#include "agent/reconcile/projects.hpp"
#include "agent/reconcile/rejection.hpp"
#include "agent/reconcile/renderings.hpp"
#include "agent/reconcile/reporter.hpp"
#include "agent/reconcile/requests.hpp"
#include "agent/reconcile/stack_status.hpp"
#include "agent/reconcile/unit_keeper.hpp"
#include "agent/reconcile/upkeep.hpp"
#include "agent/sources/engine_watcher.hpp"
#include "agent/sources/git_watcher.hpp"
#include "agent/sources/image_watcher.hpp"
#include "common/async_mutex.hpp"

namespace trimtab {

struct PlanAnswer {
  std::optional<int> from;
  std::string commit;
  std::string subject;
  std::string verdict;  // nothing to do, would deploy, rejected, waiting
  Plan plan;
  std::vector<PreflightFinding> findings;
  std::vector<ImagePull> pulls;             // images that are not on this host yet
  std::optional<std::uint64_t> free_bytes;  // of the disk with the images
};

// Paths on this host for the stack's unit.
struct HostPaths {
  std::filesystem::path unit_directory = "/etc/systemd/system";
  std::filesystem::path docker_socket;
  std::filesystem::path empty_file;
};

struct ReconcilerDeps {
  asio::any_io_executor executor;
  StackSettings settings;
  std::unique_ptr<Git> git;
  Registry& registry;
  Docker& docker;
  const EngineWatcher& engine;
  Compose& compose;
  Units* units;  // null: systemd does not run here
  HostPaths paths;
  Store store;
  EventBus& events;
  AsyncMutex& deploy_lock;  // one deployment at a time on the host
  Projects& projects;       // of all stacks
};

// More than 15 members: one perform() per action of a round, and the parts of the stack
// that the actions share.
class Reconciler final {
 public:
  explicit Reconciler(ReconcilerDeps deps);

  // Ends after request_stop(), between two phases of a deployment, or by cancellation.
  Task<void> run();
  Task<void> watch_git() { return git_watcher_.run(); }
  Task<void> watch_images() { return image_watcher_.run(); }
  void request_stop();
  [[nodiscard]] bool may_be_interrupted() const;

  // From the Engine.
  void on_engine_event(const EngineEvent& event);
  void on_engine_change();

  // From operators. conflict if the state of the stack does not allow it; not_found if the release
  // does not exist.
  Result<std::string> deploy(std::string commit);
  Result<std::string> rollback(int release);
  Task<Result<std::string>> pause(std::string why);
  Task<Result<std::string>> resume();
  std::string check();
  // Something was pushed: polls the remote and the registries immediately. Unlike check(), does not
  // evaluate again what was evaluated before.
  void poll_now();
  // Returns what a deploy would do now. Polls the remote and renders; changes nothing that is
  // running.
  Task<Result<PlanAnswer>> plan();

  // For the status.
  [[nodiscard]] const StackSettings& settings() const { return deps_.settings; }
  [[nodiscard]] const Store& store() const { return deps_.store; }
  [[nodiscard]] const StackStatus& stack_status() const { return reporter_.stack_status(); }
  [[nodiscard]] const Facts& facts() const { return facts_; }
  // As RefSource::transport_in_use().
  [[nodiscard]] std::string git_transport() const { return workspace_.remote().transport_in_use(); }
  [[nodiscard]] const Observation& observation() const { return observation_; }
  [[nodiscard]] const std::vector<ServerCertificateFile>& certificates() const {
    return upkeep_.certificates();
  }
  [[nodiscard]] const std::optional<DeploymentView>& deployment() const {
    return reporter_.deployment();
  }
  [[nodiscard]] const std::optional<RequestResult>& last_request() const {
    return requests_.last();
  }
  [[nodiscard]] std::size_t watched_images() const { return image_watcher_.watched().size(); }
  [[nodiscard]] const std::string& project() const { return project_; }
  [[nodiscard]] std::vector<std::string> notices() const;
  // Absent if no unit is managed.
  [[nodiscard]] const std::optional<UnitView>& unit() const { return unit_keeper_.view(); }
  [[nodiscard]] Heartbeats heartbeats() const;

 private:
  // --- the loop (reconciler.cpp)
  Task<Snapshot> take_snapshot();
  Task<void> perform(StackAction action);
  Task<void> perform(action::Rest action);
  Task<void> perform(action::StopWhatWasStarted action);
  Task<void> perform(action::EndRequests action);
  Task<void> perform(action::RecordEnd action);
  Task<void> perform(action::Resume action);
  Task<void> perform(action::MendRendering action);
  Task<void> perform(action::ServeRequest action);
  Task<void> perform(action::ReloadRenewed action);
  Task<void> perform(action::EndProbation action);
  Task<void> perform(action::GoBack action);
  Task<void> perform(action::TellBroken action);
  Task<void> perform(action::AcceptCurrent action);
  Task<void> perform(action::Evaluate action);
  Task<void> rest(SteadyClock::time_point until);

  Task<void> end_probation(std::string notice);
  Task<void> add_logs_of_broken(Failure* failure);

  // --- the snapshot (reconciler_snapshot.cpp)
  Task<void> observe();
  Task<bool> put_right_after_docker(std::vector<Container> containers);
  void note_what_runs_while_stopped(const std::vector<Container>& containers);
  [[nodiscard]] ProbationWatch::Check check_probation();
  void check_inputs(Snapshot* now);
  Task<bool> has_all_names_now();
  [[nodiscard]] std::optional<Error> docker_error() const;
  [[nodiscard]] Record record() const;
  StackUnit stack_unit() const;
  void refresh_status();

  // --- evaluating a commit (reconciler_evaluate.cpp)
  // A deployment to be begun.
  struct Due {
    DeploymentKind kind = DeploymentKind::deploy;
    Candidate candidate;
    Plan plan;
    PreflightReport preflight_report;
  };
  Task<void> consider(DeployTarget deploy_target);
  // Returns the deployment that is due. Nothing if none is, or if the reason has been reported.
  Task<std::optional<Due>> evaluate(DeployTarget deploy_target);
  Task<std::optional<Due>> assess_made(WorkspaceLock& workspace, DeployTarget deploy_target,
                                       Candidate candidate);
  void note_that_nothing_is_due(const DeployTarget& deploy_target);
  Task<Result<void>> prepare_current(WorkspaceLock& workspace);
  Task<PreflightReport> run_preflight_for(WorkspaceLock& workspace, const Candidate* candidate);
  // Replaces rolling updates by stop-first ones if memory is short. Returns a line for each.
  Task<std::vector<std::string>> fit_memory(const Rendering* rendering, Plan* plan);
  [[nodiscard]] Observed observed_for(const Candidate& candidate) const;
  Task<Result<void>> record_rejection(DeployTarget deploy_target, Release release,
                                      std::vector<PreflightFinding> findings);
  Task<void> wait_for_images(DeployTarget deploy_target, Release release,
                             std::vector<std::string> missing);
  void try_later(const DeployTarget& deploy_target, const Error& error);
  // Schedules another evaluation of the same inputs, each time later. Returns the delay.
  std::chrono::milliseconds back_off();

  // --- deploying (reconciler_deploy.cpp)
  // Waits for the host's deploy lock, and observes again after a wait.
  Task<AsyncMutex::Guard> wait_for_host();
  Task<AsyncMutex::Guard> queue_for_host();
  Task<WorkspaceLock> lock_workspace();
  Task<void> carry_out(DeployTarget deploy_target, Due due, AsyncMutex::Guard host);
  // Bytes that each image to be pulled transfers, by its pinned name, as far as known.
  using PullBytes = std::map<std::string, std::uint64_t>;
  Task<void> run_deployment(Deployment deployment, bool resumed, AsyncMutex::Guard host,
                            PullBytes bytes);
  // A deployment that has begun, for the report on its end.
  struct Begun {
    int release = 0;
    DeploymentKind kind = DeploymentKind::deploy;
    std::string request;  // id of the operator's request, if there is one
    // When this process began to watch the gate of a new release; unset if it did not.
    std::optional<SteadyClock::time_point> gate_began;
  };
  void on_deployment_ended(const DeploymentResult& result, const Begun& begun);
  Task<Result<void>> give_up_suspended();
  void report_unrecorded();

  // --- operators' requests (reconciler_requests.cpp)
  Result<std::string> enqueue(Request request);
  Task<void> serve(Request request);
  Task<void> serve_deploy(Request request);
  Task<void> serve_rollback(Request request);
  struct Way {
    int release = 0;
    Rendering rendering;
    std::vector<std::string> notices;  // about the releases that were skipped
  };
  Task<Result<Way>> find_way_back(WorkspaceLock& workspace, Request request);
  void end_request(const std::string& id, std::string outcome, std::optional<int> release,
                   std::string message);
  void make_known(Intent* intent) const;

  void on_facts_asked(bool is_news);
  void on_unit_change(const std::string& active);
  CandidateDeps candidate_deps();

  ReconcilerDeps deps_;
  Renderings renderings_;
  UnitKeeper unit_keeper_;
  Workspace workspace_;
  Facts facts_;
  Observer observer_;
  Observation observation_;
  Reporter reporter_;
  Requests requests_;
  Upkeep upkeep_;
  ProbationWatch probation_;
  std::string project_;

  // The result of the last evaluation.
  struct LastAssessment {
    std::string key;                  // of the inputs that need no second evaluation
    std::optional<Inputs> evaluated;  // those that were read, whatever the result
    std::string file_stamp;           // of the files among them
    StackStatus verdict;
    // Project and rendering of a commit that waits for names that the host lacks.
    std::optional<std::pair<std::string, Rendering>> lacks_names;
  };
  LastAssessment last_assessment_;
  InputHashes input_hashes_;
  InputsKey present_key_;
  struct Backoff {
    std::optional<SteadyClock::time_point> retry_at;
    int failures = 0;
  };
  Backoff backoff_;
  ImageWait image_wait_;
  struct DockerReturn {
    bool was_lost = false;
    WallTime back_at;           // after it was away; what failed before is retried
    bool is_first_look = true;  // at the containers while the unit's state is known, not paused
    std::set<std::string> started_while_stopped;  // containers, by somebody
  };
  DockerReturn docker_return_;
  // A deployment that has ended and whose end could not be recorded yet.
  struct Unrecorded {
    std::unique_ptr<DeploymentRunner> executor;
    DeploymentResult result;
    Begun begun;
    SteadyClock::time_point next_try{};
    StackStatus status;  // until it is recorded
  };
  struct Flight {
    std::unique_ptr<DeploymentRunner> executing;
    std::optional<Unrecorded> unrecorded;
    bool resumes = false;  // a deployment in flight is to be resumed
    bool is_suspended =
        false;  // it continues when the retry is due, and is superseded by another commit
    bool was_cut = false;  // between two phases; not checked since
  };
  Flight flight_;
  bool stop_requested_ = false;
  bool is_queued_ = false;

  WakeEvent wake_;
  WakeEvent engine_changed_;
  GitWatcher git_watcher_;
  ImageWatcher image_watcher_;
};

}  // namespace trimtab
