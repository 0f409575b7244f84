// Keeps one stack: looks at the facts, decides, and has the executor act. One a stack.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/execute/executor.hpp"
#include "agent/execute/probation.hpp"
#include "agent/model/server_certificate.hpp"
#include "agent/notify/milestones.hpp"
#include "agent/plan/volumes.hpp"
#include "agent/reconcile/draft.hpp"
#include "agent/reconcile/events.hpp"
#include "agent/reconcile/inputs.hpp"
#include "agent/reconcile/mend_tries.hpp"
#include "agent/reconcile/projects.hpp"
#include "agent/reconcile/renewed_files.hpp"
#include "agent/reconcile/signs_of_life.hpp"
#include "agent/reconcile/situation.hpp"
#include "agent/reconcile/unit_keeper.hpp"
#include "agent/sources/engine_watcher.hpp"
#include "agent/sources/git_watcher.hpp"
#include "agent/sources/image_watcher.hpp"
#include "common/turn.hpp"

namespace trimtab {

// An operator's request and what became of it.
struct Request {
  enum class Kind { deploy, rollback };
  std::string id;
  Kind kind = Kind::deploy;
  std::string commit;     // of a deploy; "": what the ref points to
  int release = 0;        // of a rollback
  bool is_named = false;  // the release, by the operator; else it is the last good one
};
struct RequestResult {
  std::string id;
  std::string
      outcome;  // in_progress, done, nothing_to_do, rejected, rolled_back, failed, superseded
  std::optional<int> release;
  std::string message;
};

// The deployment that goes on, for status.
struct AttemptView {
  Attempt attempt;
  WallTime phase_started_at;
  std::string pull_image;
  PullProgress pull;
  std::map<std::string, std::string> waiting_for;
};

struct PlanAnswer {
  std::optional<int> from;
  std::string commit;
  std::string subject;
  std::string verdict;  // nothing to do, would deploy, rejected, waiting
  Plan plan;
  std::vector<PreflightFinding> findings;
  std::vector<ImagePull> pulls;             // images that are not here yet
  std::optional<std::uint64_t> free_bytes;  // where the Engine keeps images
};

// Where things are on this host that the stack's unit names.
struct HostPaths {
  std::filesystem::path unit_directory = "/etc/systemd/system";
  std::filesystem::path docker_socket;
  std::filesystem::path empty_file;
};

struct ReconcilerParts {
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
  Turn& host_turn;     // one deployment at a time on the host
  Projects& projects;  // of all stacks
};

class Reconciler final : private Progress {
 public:
  explicit Reconciler(ReconcilerParts parts);

  // Ends after request_stop(), between two phases of a deployment, or by cancellation.
  Task<void> run();
  Task<void> watch_git() { return git_watcher_.run(); }
  Task<void> watch_images() { return image_watcher_.run(); }
  void request_stop();
  [[nodiscard]] bool may_be_interrupted() const;

  // From the Engine.
  void on_engine_event(const EngineEvent& event);
  void on_engine_change();

  // From operators. conflict where the stack is in no state for it; not_found where the release is
  // not there.
  Result<std::string> deploy(std::string commit);
  Result<std::string> rollback(int release);
  Result<std::string> pause(std::string why);
  Result<std::string> resume();
  std::string check();
  // Something was pushed: the remote and the registries are asked at once. Unlike check(), what was
  // judged before is not judged anew.
  void look_now();
  // What a deploy would do now. Asks the remote and renders; changes nothing that runs.
  Task<Result<PlanAnswer>> plan();

  // For the status.
  [[nodiscard]] const StackSettings& settings() const { return settings_; }
  [[nodiscard]] const Store& store() const { return store_; }
  [[nodiscard]] const Situation& situation() const { return situation_; }
  [[nodiscard]] const Facts& facts() const { return facts_; }
  // As Git::asked_by says.
  [[nodiscard]] std::string git_asked_by() const { return git_->asked_by(); }
  [[nodiscard]] const Observed& observed() const { return observed_; }
  [[nodiscard]] const std::vector<std::string>& drift() const { return drift_; }
  [[nodiscard]] const std::vector<ServerCertificateFile>& certificates() const {
    return certificates_;
  }
  [[nodiscard]] const std::optional<AttemptView>& attempt() const { return attempt_view_; }
  [[nodiscard]] const std::optional<RequestResult>& last_request() const { return last_request_; }
  [[nodiscard]] std::size_t watched_images() const { return image_watcher_.watched().size(); }
  [[nodiscard]] const std::string& project() const { return project_; }
  [[nodiscard]] std::vector<std::string> notices() const;
  // Absent where no unit is kept.
  [[nodiscard]] const std::optional<UnitView>& unit() const { return unit_keeper_.view(); }
  [[nodiscard]] SignsOfLife signs_of_life() const;

 private:
  struct Goal {
    RefTip tip;
    bool retry = false;    // what was looked at before is looked at again
    bool fetched = false;  // the commit is here, and need not be where the ref points
    bool again = false;    // an operator asks: rejected content is tried once more
    std::string request;   // the operator's, if one asks
    std::string cause;
  };

  Task<void> recover();
  // Writes the end that could not be written; true once it is.
  Task<bool> record_end();
  Task<void> rest(SteadyClock::time_point until);
  Task<void> round();
  Task<void> observe();
  // Whether the volumes of what is deployed are still there.
  Task<void> look_at_volumes(const Release* current);
  Task<void> keep_boot_files();
  void look_at_certificates(const Rendering& rendering);
  // Has services read certificates that were renewed.
  Task<void> reload_renewed();
  // Gives up rolling where there is no memory for it; a line on each for people.
  Task<std::vector<std::string>> fit_memory(const Rendering* rendering, Plan* plan);
  // Without what was made by hand beside the current release. Where that cannot be read, all.
  [[nodiscard]] std::vector<Container> of_release(const ProjectContainers& found) const;
  Task<bool> put_right_after_docker(std::vector<Container> containers);
  Task<void> stop_what_was_started();
  Task<void> serve(Request request);
  Task<void> serve_rollback(Request request);
  struct Way {
    int release = 0;
    Rendering rendering;
    std::vector<std::string> notices;  // on those that could not be chosen
  };
  Task<Result<Way>> find_way_back(Request request);
  Task<void> consider(Goal goal);
  struct Decision;
  // The deployment that is due; nothing where none is, or it was said why not.
  Task<std::optional<Decision>> decide(Goal goal);
  Task<std::optional<Decision>> judge_draft(Goal goal, Draft draft);
  Task<Result<void>> prepare_current();
  // Has the current release rendered again where its compose.yaml is damaged.
  Task<void> mend_current();
  struct Examination {
    std::vector<ServerCertificateFile> certificates;
    std::vector<ImagePull> pulls;
    std::optional<std::uint64_t> free_bytes;
    std::vector<PreflightFinding> findings;
  };
  Task<Examination> examine(const Draft* draft);
  [[nodiscard]] bool request_waits() const;
  // Whether a newer request has taken its place, and its end was told.
  [[nodiscard]] bool is_superseded(const std::string& request) const {
    return !request.empty() && request == superseded_;
  }
  Task<Turn::Holder> wait_for(Turn& turn);
  // The turn of the host, and what runs then.
  Task<Turn::Holder> wait_for_host();
  struct Decision {
    AttemptKind kind = AttemptKind::deploy;
    Draft draft;
    Plan plan;
    Examination examination;
  };
  Task<void> carry_out(Goal goal, Decision decision, Turn::Holder host);
  Task<void> attempt(Attempt attempt, bool resumed, Turn::Holder host);
  [[nodiscard]] SteadyClock::time_point next_wake() const;
  // Tells the end of requests that were accepted before an operator stopped the stack.
  void end_requests_of_stopped();
  bool is_on_probation();
  // Goes back where the current release, on probation, breaks; then true.
  Task<bool> watch_probation();
  Task<void> end_probation(Failure failure);
  void after(const AttemptResult& result, int number, const std::string& request);
  void tell_unrecorded();
  Task<void> retire_releases();
  // After a repair of the repository: has it keep the releases' commits again, and returns what is
  // told of it.
  Task<std::vector<std::string>> keep_commits_anew();
  Result<void> record_rejection(const Goal& goal, Release release,
                                std::vector<PreflightFinding> findings);
  // Has the same looked at again, each time later; gives after how long.
  std::chrono::milliseconds back_off();
  void wait_for_images(const Goal& goal, const Release& release,
                       const std::vector<std::string>& missing);
  void try_later(const Goal& goal, const Error& error);
  std::string describe_cause(const Draft& draft) const;
  // What plans start from. Of a release that cannot be read nothing is known.
  [[nodiscard]] Base base_of_plans() const;
  [[nodiscard]] Observed observed_for(const Draft& draft) const;
  Result<Rendering> rendering_of(int number) const;
  const Release* release_to_go_back_to() const;
  const Release* release_of_moved_tag(const RefTip& tip) const;
  [[nodiscard]] Situation situation_of_held(const Release& draft) const;
  [[nodiscard]] Situation situation_of_vain(const Release& draft) const;
  [[nodiscard]] Situation situation_of_failed(const Release& release, Outcome outcome) const;

  void on_facts_asked();
  void tell_of_remote();
  void tell_of_registries();
  void on_unit_change(const std::string& active);
  StackUnit stack_unit() const;
  void tell(Milestone milestone, spdlog::level::level_enum level, const std::string& message,
            const Release* release = nullptr);
  void settle();
  void situate(StackState state, std::string reason, std::string next);
  void finish_request(const std::string& id, std::string outcome, std::optional<int> release,
                      std::string message);
  Result<std::string> enqueue(Request request);
  Intent known_intent() const;
  DraftParts draft_parts();

  void phase_begun(const Attempt& attempt) override;
  void pulling(const std::string& image, const PullProgress& progress) override;
  void waiting_for(const std::map<std::string, std::string>& services) override;
  void remark(const std::string& words) override;
  void hook_begun(const std::string& name, std::chrono::milliseconds at_most) override;

  asio::any_io_executor executor_;
  StackSettings settings_;
  std::unique_ptr<Git> git_;
  Registry& registry_;
  Docker& docker_;
  const EngineWatcher& engine_;
  Compose& compose_;
  Units* units_;
  HostPaths paths_;
  Store store_;
  UnitKeeper unit_keeper_;
  EventBus& events_;
  Turn& host_turn_;
  Turn staging_turn_;  // the staging folder has one user at a time

  Facts facts_;
  std::optional<Errc> told_remote_error_;  // that the log has told
  std::map<std::string, Errc> told_registry_errors_;
  std::string told_commit_;                          // of the facts that events have told
  std::map<std::string, std::string> told_digests_;  // by image
  Projects& projects_;
  Observed observed_;                     // all of its own
  Observed observed_of_release_;          // without what was made by hand beside it
  std::vector<Container> foreign_;        // that bear the project's label, but are not the stack's
  OwnSigns signs_;                        // that tell them from its own
  std::vector<LostVolume> lost_volumes_;  // of what is deployed
  // The services that the stack's unit does not start, since they are taken.
  std::optional<std::set<std::string>> boots_without_;
  SteadyClock::time_point volumes_until_{};  // then the Engine is asked for them again
  std::string unmended_;                     // why the current release cannot be read; "": it can
  MendTries mend_tries_;
  RenewedFiles renewed_files_;
  SteadyClock::time_point renewed_until_{};  // then they are looked at again
  std::vector<std::string> drift_;
  std::vector<ServerCertificateFile> certificates_;
  SteadyClock::time_point certificates_until_{};  // then they are looked at again
  mutable std::string cached_key_;                // content key of the rendering that was read last
  mutable Rendering cached_rendering_;
  std::string project_;
  std::string judged_key_;           // inputs that need no second look
  std::optional<Inputs> evaluated_;  // that the last look at a commit has read, fit or not
  std::string file_stamp_;           // of the files among them
  Situation verdict_;                // what they were judged to be
  Situation situation_;
  std::optional<Probation> probation_;
  struct ProbationEnd {
    int release = 0;
    SteadyClock::time_point at;
  };
  std::optional<ProbationEnd> probation_end_;
  bool gate_was_watched_ = false;  // the newest one, by this process, Docker being there since
  std::set<std::string> stopped_;  // ids of containers that somebody stopped, while on probation
  std::optional<SteadyClock::time_point> retry_at_;
  int world_failures_ = 0;
  // Project and rendering of a commit that waits for what the host lacks by name.
  std::optional<std::pair<std::string, Rendering>> lacks_names_;
  WallTime docker_back_at_;       // since it was away; what failed before is tried again
  bool images_are_tidy_ = false;  // none is left of releases that are kept no more
  int image_questions_ = 0;       // asked in vain for the images that are waited for
  std::string waiting_commit_;    // that waits for images, and since when
  SteadyClock::time_point waiting_since_;
  std::optional<Request> request_;
  std::string serving_;          // the one that is looked at, by id, until anything is begun for it
  std::string superseded_;       // the last one that gave way to a newer one, by id
  std::string waiting_request_;  // the one that waits for images, by id
  std::optional<RequestResult> last_request_;
  std::optional<AttemptView> attempt_view_;
  SteadyClock::time_point last_pull_event_{};
  KnownValues known_values_;                         // of the attempt's releases
  std::map<std::string, std::uint64_t> pull_bytes_;  // of the attempt, as far as known
  std::unique_ptr<Executor> executing_;
  // A deployment that has ended, of which the end could not be written yet.
  struct Unrecorded {
    std::unique_ptr<Executor> executor;
    AttemptResult result;
    int number = 0;
    std::string request;
    SteadyClock::time_point next_try{};
  };
  std::optional<Unrecorded> unrecorded_;
  bool stop_requested_ = false;
  bool waits_for_turn_ = false;
  bool docker_was_lost_ = false;
  bool was_cut_ = false;       // the attempt, between two phases; not looked at since
  bool is_first_look_ = true;  // at the containers of a stack whose unit is known
  std::set<std::string> started_while_stopped_;  // containers, by somebody
  bool resumes_ = false;                         // the journal has an attempt that is to go on
  bool is_suspended_ = false;  // it goes on when `retry_at_` is reached, and gives way to another
  SteadyClock::time_point last_progress_ = SteadyClock::now();

  WakeEvent wake_;
  WakeEvent engine_changed_;
  GitWatcher git_watcher_;
  ImageWatcher image_watcher_;
};

}  // namespace trimtab
