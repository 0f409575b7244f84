// Performs a deployment: phase by phase as phase_machine.hpp decides, each journalled before its
// effect, each effect safe to repeat.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "agent/compose/compose.hpp"
#include "agent/config/settings.hpp"
#include "agent/docker/docker.hpp"
#include "agent/execute/gate.hpp"
#include "agent/execute/phase_machine.hpp"
#include "agent/git/git.hpp"
#include "agent/plan/diff.hpp"
#include "agent/record/store.hpp"
#include "agent/registry/registry.hpp"
#include "common/known_values.hpp"

namespace trimtab {

// Told while a deployment goes on; what people see comes from here.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void phase_begun(const Attempt& attempt) = 0;
  virtual void pulling(const std::string& image, const PullProgress& progress) = 0;
  // Service → what it is waited for; empty words: ready.
  virtual void waiting_for(const std::map<std::string, std::string>& services) = 0;
  virtual void remark(const std::string& line) = 0;
  // A hook begins, which may last so long without another sign.
  virtual void hook_begun(const std::string& name, std::chrono::milliseconds at_most) = 0;
};

// What an executor works with; all outlive it.
struct ExecutorParts {
  const StackSettings& settings;
  const std::string& project;
  Git& git;
  Registry& registry;
  Docker& docker;
  Compose& compose;
  Store& store;
  Progress& progress;
  WakeEvent& engine_changed;  // notified when the Engine tells of something
};

struct ExecutorHooks {
  // Whether something newer than this release is wanted by now.
  std::function<bool(const Release&)> superseded;
  // Makes sure that the release's compose.yaml is one that the present Compose can read.
  std::function<Task<Result<void>>(int release)> make_readable;
  std::map<std::string, std::uint64_t> pull_bytes;  // see Puller
  KnownValues values;                               // that nobody is to read in what is told
};

struct AttemptResult {
  AttemptEnd end = AttemptEnd::committed;
  std::optional<Failure> failure;
  // Why the end is not recorded: record_end() is to be called again, and nothing else begun until
  // it is. The journal has the attempt until then.
  std::optional<Error> unrecorded;
};

class Executor {
 public:
  Executor(ExecutorParts parts, ExecutorHooks hooks);

  // Carries the attempt to its end. `resumed`: the journal had it when the daemon started. Nothing
  // where request_stop() ended it between two phases: the journal keeps it for the next start.
  Task<std::optional<AttemptResult>> run(Attempt attempt, bool resumed);
  // Records how the attempt ended, after run(), where that could not be written.
  Task<Result<void>> record_end();

  // Ends an attempt that is suspended, which something else takes the place of.
  Result<void> give_up(Attempt attempt);

  void request_stop();
  // Whether being cancelled now leaves nothing half done.
  [[nodiscard]] bool may_be_interrupted() const;

 private:
  struct Done {
    PhaseResult result = PhaseResult::done;
    bool docker_lost = false;  // worth beginning the same phase again once Docker is back
    std::optional<Failure> failure;
  };

  [[nodiscard]] Course course() const;
  Task<Result<void>> begin(Phase phase);
  void end_timeline_entry(SteadyClock::time_point begun);
  void note_failure(Failure failure);
  AttemptResult suspend(std::optional<Failure> failure);
  Task<Done> perform(Phase phase);
  Task<Done> pull();
  Task<Done> check_data(Release release);
  // Whether the services that are to be reloaded take their new files: tried in containers that are
  // thrown away. invalid, with their own words, where one does not.
  Task<Result<void>> try_new_files(Release release);
  Task<Result<void>> try_files_of(std::string service, Release release, Rendering rendering);
  Task<Result<void>> pull_images(std::map<std::string, ImagePin> images);
  // How a hook ended by itself, or that there is nothing to run it in.
  struct HookEnd {
    int exit = 0;
    std::string skipped;
  };
  Task<Done> run_hooks(std::vector<HookSettings> hooks);
  Task<bool> was_anything_down(WallTime since);
  Task<Result<HookEnd>> run_hook(HookSettings hook, std::vector<std::string>* output);
  Task<Result<HookEnd>> run_in_service(HookSettings hook, std::vector<Container> containers,
                                       std::vector<std::string>* output);
  Task<Result<HookEnd>> run_one_off(HookSettings hook, std::vector<std::string>* output);
  Task<Result<void>> remove_ended(std::string container);
  Task<Result<HookEnd>> run_program(HookSettings hook, std::vector<std::string>* output);
  [[nodiscard]] std::map<std::string, std::string> hook_environment() const;
  [[nodiscard]] std::string hook_mark() const;
  Task<Done> switch_over();
  Task<Result<SwitchReport>> move_checkout(int from, int to);
  Task<Done> start();
  Task<Result<void>> start_services();
  [[nodiscard]] bool any_to_replace(const std::vector<Container>& containers) const;
  Task<Done> gate();
  Task<Done> commit();
  Task<Result<void>> choose_readable_fallback();
  Task<Done> roll_back();
  Task<Done> gate_rollback();
  Task<Done> watch_gate(GateDemand demand, std::vector<ProbeSettings> probed);
  Task<Result<std::map<std::string, std::string>>> image_ids(Release release);
  Task<Result<Rendering>> rendering_of(int number);
  // The stack's own, and no others.
  Task<Result<std::vector<Container>>> containers_of_stack();
  // Whether Compose may be asked for what the plan replaces: it would take over containers that are
  // not the stack's, and make empty volumes in place of lost ones. conflict where it may not.
  Task<Result<void>> may_apply(int number, Plan plan);
  Task<Result<void>> volumes_are_there(int number);
  [[nodiscard]] std::string trial_container_name() const;
  [[nodiscard]] std::string hook_container_name() const;
  Task<void> tidy();
  Task<Result<void>> wait_for_what_is_proxied(int number, Plan plan);
  Task<Result<void>> apply(int number, Plan plan, bool force_recreate);
  Task<Result<void>> restart(int number, std::vector<std::string> services);
  // `keep`: containers that are as they should be.
  [[nodiscard]] std::set<std::string> with_new_files(const Release& release) const;
  Task<Result<void>> roll(int number, std::vector<std::string> services, SeenContainers keep);
  Task<Result<void>> note_leaving(std::vector<std::string> services, SeenContainers keep);
  Task<Result<void>> reload(int number, std::vector<std::string> services);
  // `jobs`: services that are known to do their work and exit.
  Task<Result<void>> save_boot_file(int number, std::set<std::string> jobs);
  Task<Result<void>> remove_services(std::vector<std::string> services);
  Task<Result<void>> remove_half_made(std::vector<std::string> services);
  // Notes which containers make up the release, which passed its gate after the plan was applied.
  Task<Result<void>> note_running(int number, Plan plan);
  // What runs, and the releases that it is of.
  Task<Result<Base>> base_of_plans();
  // Before its effects: what the plan changes is not known to run until it is verified.
  Result<void> note_touched(const Plan& plan);
  // The containers that were verified before this attempt.
  [[nodiscard]] Observed verified_before(const std::vector<Container>& containers) const;
  // The tracked files that the service mounts as it ran before: path → blob.
  [[nodiscard]] std::map<std::string, std::string> files_before(const std::string& service) const;
  Task<Failure> explain(Phase phase, Error error, FailureClass cls);
  Task<void> add_logs(std::vector<ServiceFailure>* services);
  Task<bool> wait_for_docker();
  Task<void> start_what_docker_left_down();
  Result<void> finish(AttemptEnd end);
  Result<void> update(int number, const std::function<void(Release&)>& change);

  ExecutorParts parts_;
  ExecutorHooks hooks_;
  Attempt attempt_;
  std::optional<AttemptEnd> end_;
  std::optional<Result<void>> noted_;  // whether it could be noted what runs, once committed
  bool stop_requested_ = false;
  std::optional<Failure> apply_failure_;
};

}  // namespace trimtab
