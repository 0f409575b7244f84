#include "agent/execute/executor.hpp"

#include <algorithm>

#include "agent/compose/compose_yaml.hpp"
#include "agent/execute/boot_files.hpp"
#include "agent/execute/demand.hpp"
#include "agent/execute/failure_log.hpp"
#include "agent/execute/known_values_of.hpp"
#include "agent/execute/known_volumes.hpp"
#include "agent/execute/own_containers.hpp"
#include "agent/execute/postgres.hpp"
#include "agent/execute/probe.hpp"
#include "agent/execute/puller.hpp"
#include "agent/execute/reloading.hpp"
#include "agent/execute/roller.hpp"
#include "agent/model/classify.hpp"
#include "agent/model/reference.hpp"
#include "agent/model/service.hpp"
#include "agent/plan/diff.hpp"
#include "agent/record/rendering.hpp"
#include "agent/resolve/paths.hpp"
#include "common/failpoint.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "common/process.hpp"

namespace trimtab {
namespace {

constexpr auto docker_patience = std::chrono::minutes(2);

std::string failpoint_name(Phase phase, const char* moment) {
  return std::string(to_string(phase)) + ":" + moment;
}

PhaseResult result_of(FailureClass cls) {
  return cls == FailureClass::content ? PhaseResult::failed_by_content
                                      : PhaseResult::failed_by_world;
}

// A port of the host, or a name.
bool is_in_the_way(const Rendering& next, const Container& leaving) {
  for (const std::string& name : next.service_names()) {
    const std::string wanted_name = json_string(next.service(name), "container_name");
    if (!wanted_name.empty() && wanted_name == leaving.name) return true;
    for (const PublishedPort& wanted : published_ports_of(next.service(name))) {
      for (const PublishedPort& held : leaving.ports) {
        if (wanted.host_port == held.host_port && wanted.protocol == held.protocol) return true;
      }
    }
  }
  return false;
}

// The services that leave and hold a port or a name that is needed now.
std::vector<std::string> in_the_way_of(const Rendering& next,
                                       const std::vector<Container>& containers, const Plan& plan) {
  const std::vector<std::string> leaving = plan.with(Action::remove);
  std::vector<std::string> in_the_way;
  for (const Container& container : containers) {
    const bool leaves =
        std::find(leaving.begin(), leaving.end(), container.service) != leaving.end();
    if (leaves && is_in_the_way(next, container)) in_the_way.push_back(container.service);
  }
  return in_the_way;
}

// Containers that were made to take another one's place and never started, while that one is there.
std::vector<Container> half_made(const std::vector<Container>& containers) {
  std::vector<Container> half;
  for (const Container& container : containers) {
    const bool beside =
        std::any_of(containers.begin(), containers.end(), [&](const Container& other) {
          return other.service == container.service && other.number == container.number &&
                 other.state != ContainerState::created;
        });
    if (container.state == ContainerState::created && beside) half.push_back(container);
  }
  return half;
}

// The tracked files that the service mounts: path → blob.
std::map<std::string, std::string> files_of(const Release& release, const std::string& service) {
  const auto found = release.mounted_files.find(service);
  return found == release.mounted_files.end() ? std::map<std::string, std::string>()
                                              : found->second;
}

// The files of the commit that take the place of what the service mounts, by their paths in its
// container. Not those that are new in a folder: Docker would make them in the live one.
std::map<std::string, std::string> files_to_try(const std::map<std::string, std::string>& before,
                                                const std::map<std::string, std::string>& after,
                                                const std::vector<Mount>& mounts,
                                                const std::filesystem::path& live,
                                                const std::filesystem::path& staged) {
  std::map<std::string, std::string> files;
  for (const auto& [path, blob] : after) {
    const auto old = before.find(path);
    if (old != before.end() && old->second == blob) continue;
    std::error_code ec;
    // A link would lead Docker to any file of the host.
    if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(staged / path, ec))) {
      continue;
    }
    const std::string target = (live / path).string();
    for (const Mount& mount : mounts) {
      if (mount.type != "bind") continue;
      const bool itself = mount.source == target;
      const bool below = target.starts_with(mount.source + "/") && old != before.end();
      if (!itself && !below) continue;
      files[mount.target + target.substr(mount.source.size())] = (staged / path).string();
    }
  }
  return files;
}

constexpr int ended_by_signal = 128;

bool ended_by_itself(const Container& container) {
  return container.state == ContainerState::exited && container.error.empty() &&
         !container.oom_killed && container.exit_code > 0 && container.exit_code < ended_by_signal;
}

// Whether another container shares its network, memory or processes.
bool is_shared(const Container& container, const std::vector<Container>& containers) {
  return std::any_of(containers.begin(), containers.end(), [&](const Container& other) {
    return std::find(other.shares_with.begin(), other.shares_with.end(), container.id) !=
           other.shares_with.end();
  });
}

std::vector<std::string> dependencies_first(std::vector<std::string> services,
                                            const Rendering& rendering) {
  std::vector<std::string> ordered;
  while (!services.empty()) {
    auto next = std::find_if(services.begin(), services.end(), [&](const std::string& service) {
      const auto needs = dependencies_of(rendering.service(service));
      return std::find_first_of(needs.begin(), needs.end(), services.begin(), services.end()) ==
             needs.end();
    });
    if (next == services.end()) next = services.begin();  // Compose refuses circles
    ordered.push_back(std::move(*next));
    services.erase(next);
  }
  return ordered;
}

// Recording an end may be repeated.
void add_notice(Release& release, std::string notice) {
  if (!release.notices.empty() && release.notices.back() == notice) return;
  release.notices.push_back(std::move(notice));
}

}  // namespace

Executor::Executor(ExecutorParts parts, ExecutorHooks hooks)
    : parts_(parts), hooks_(std::move(hooks)) {}

void Executor::request_stop() {
  stop_requested_ = true;
  parts_.engine_changed.notify();
  // An orderly stop in the middle of a phase is no sign of a crash loop.
  if (attempt_.entries == 0 || !parts_.store.attempt()) return;
  --attempt_.entries;
  if (auto written = parts_.store.journal(attempt_); !written) {
    spdlog::warn("{}: {}", parts_.settings.name, written.error().text());
  }
}

bool Executor::may_be_interrupted() const {
  return attempt_.phase == Phase::pulling || attempt_.phase == Phase::before ||
         attempt_.phase == Phase::gating || attempt_.phase == Phase::after ||
         attempt_.phase == Phase::gating_rollback;
}

std::string Executor::trial_container_name() const {
  return "trimtab." + parts_.settings.name + ".check";
}

std::string Executor::hook_container_name() const {
  return "trimtab." + parts_.settings.name + ".hook";
}

// What a kill left of the attempt before.
Task<void> Executor::tidy() {
  end_marked(hook_mark());
  const std::vector<std::string> containers{trial_container_name(), hook_container_name()};
  for (const std::string& container : containers) {
    const Result<void> removed = co_await parts_.docker.remove(container);
    if (!removed) spdlog::debug("{}: {}", parts_.settings.name, removed.error().text());
  }
}

Task<std::optional<AttemptResult>> Executor::run(Attempt attempt, bool resumed) {
  attempt_ = std::move(attempt);
  co_await tidy();
  const Course course = this->course();
  Next next{attempt_.phase, std::nullopt};
  if (resumed) next = resume_phase(attempt_.phase, attempt_.entries, course);
  if (resumed && next.phase != attempt_.phase) {
    // What makes the daemon end each time must not be tried for ever.
    Failure failure;
    failure.phase = to_string(attempt_.phase);
    failure.reason = "trimtabd was killed " + std::to_string(attempt_.entries) +
                     " times in phase " + failure.phase;
    failure.hint = "its log, and the kernel's (out of memory?), may say why";
    note_failure(std::move(failure));
  }
  while (next.phase) {
    if (stop_requested_) co_return std::nullopt;
    const Phase phase = *next.phase;
    const SteadyClock::time_point begun = SteadyClock::now();
    Done done;
    const Result<void> journalled = co_await begin(phase);
    if (journalled) {
      failpoint(failpoint_name(phase, "begun"));
      done = co_await perform(phase);
      failpoint(failpoint_name(phase, "performed"));
      // Being stopped is no verdict on the release: the next start begins this phase again.
      if (stop_requested_ && done.result != PhaseResult::done) co_return std::nullopt;
    } else {
      done.result = PhaseResult::failed_by_world;
      done.failure = Failure{FailureClass::world,
                             std::string(to_string(phase)),
                             journalled.error().message,
                             journalled.error().hint,
                             {}};
    }
    end_timeline_entry(begun);
    if (done.docker_lost && phase != Phase::pulling && attempt_.entries < max_phase_entries) {
      const std::string why = done.failure ? done.failure->reason : "Docker does not answer";
      parts_.progress.remark(why + ": " + std::string(to_string(phase)) +
                             " is begun again once Docker answers");
      const bool back = co_await wait_for_docker();
      if (back) co_await start_what_docker_left_down();
      if (back || stop_requested_) continue;
    }
    next = next_phase(phase, done.result, course);
    if (next.end == AttemptEnd::suspended) co_return suspend(std::move(done.failure));
    if (done.failure) note_failure(std::move(*done.failure));
  }
  end_ = *next.end;
  AttemptResult result{*end_, attempt_.failure, std::nullopt};
  const Result<void> recorded = co_await record_end();
  if (!recorded) result.unrecorded = recorded.error();
  co_return result;
}

Task<Result<void>> Executor::record_end() {
  // A good release of which it is not known what runs would be taken for one that never ran.
  const bool is_noted = noted_ && *noted_;
  if (*end_ == AttemptEnd::committed && !is_noted) {
    const Done done = co_await commit();
    static_cast<void>(done);
    if (!*noted_) co_return *noted_;
  }
  co_return finish(*end_);
}

// The journal keeps why it goes back, and the result tells why it cannot. The next try begins with
// putting back what is missing by then.
AttemptResult Executor::suspend(std::optional<Failure> failure) {
  attempt_.phase = Phase::rolling_back;
  attempt_.entries = 0;
  attempt_.request.clear();
  if (auto written = parts_.store.journal(attempt_); !written) {
    spdlog::warn("{}: {}", parts_.settings.name, written.error().text());
  }
  if (failure) note_failure(std::move(*failure));
  return AttemptResult{AttemptEnd::suspended, attempt_.failure, std::nullopt};
}

Result<void> Executor::give_up(Attempt attempt) {
  attempt_ = std::move(attempt);
  return finish(AttemptEnd::failed);
}

Course Executor::course() const {
  Course course;
  course.fallback = attempt_.fallback != 0;
  course.automatic = parts_.settings.rollback == RollbackMode::automatic;
  // Where nothing is started anew there is nothing to prepare, and an operator who goes back wants
  // to be back at once.
  const bool hooked = attempt_.kind == AttemptKind::deploy && !attempt_.plan.empty();
  course.before = hooked && !parts_.settings.hooks.before.empty();
  course.after = hooked && !parts_.settings.hooks.after.empty();
  return course;
}

void Executor::note_failure(Failure failure) {
  hide_values(hooks_.values, failure);
  if (!attempt_.failure) {
    attempt_.failure = std::move(failure);
    return;
  }
  // While going back, why it goes back remains the more important reason.
  attempt_.failure->reason += "; going back failed too: " + failure.reason;
  attempt_.failure->services.insert(attempt_.failure->services.end(), failure.services.begin(),
                                    failure.services.end());
}

Task<Result<void>> Executor::begin(Phase phase) {
  if (attempt_.phase != phase) attempt_.leaving.reset();
  attempt_.entries = attempt_.phase == phase ? attempt_.entries + 1 : 1;
  attempt_.phase = phase;
  const Result<void> written = parts_.store.journal(attempt_);
  // Nothing is touched yet.
  const bool may_wait =
      phase == Phase::pulling || phase == Phase::before || phase == Phase::switching;
  if (!written && may_wait) co_return written;
  const Result<void> noted = update(attempt_.release, [&](Release& release) {
    release.timeline.push_back({std::string(to_string(phase)), wall_now(), std::nullopt});
  });
  // Later, to stop half-way would be worse: a start that finds an earlier phase begins that again.
  for (const Result<void>* const result : {&written, &noted}) {
    if (!*result) spdlog::warn("{}: {}", parts_.settings.name, result->error().text());
  }
  parts_.progress.phase_begun(attempt_);
  co_return Result<void>();
}

void Executor::end_timeline_entry(SteadyClock::time_point begun) {
  const std::chrono::duration<double> lasted = SteadyClock::now() - begun;
  const auto noted = update(attempt_.release, [&](Release& release) {
    if (!release.timeline.empty()) release.timeline.back().seconds = lasted.count();
  });
  if (!noted) spdlog::warn("{}: {}", parts_.settings.name, noted.error().text());
}

Task<Executor::Done> Executor::perform(Phase phase) {
  switch (phase) {
    case Phase::pulling:
      co_return co_await pull();
    case Phase::before:
      co_return co_await run_hooks(parts_.settings.hooks.before);
    case Phase::switching:
      co_return co_await switch_over();
    case Phase::starting:
      co_return co_await start();
    case Phase::gating:
      co_return co_await gate();
    case Phase::committing:
      co_return co_await commit();
    case Phase::after:
      co_return co_await run_hooks(parts_.settings.hooks.after);
    case Phase::rolling_back:
      co_return co_await roll_back();
    case Phase::gating_rollback:
      co_return co_await gate_rollback();
  }
  co_return Done{};
}

// --- pulling

Task<Result<void>> Executor::pull_images(std::map<std::string, ImagePin> images) {
  Progress& progress = parts_.progress;
  PullerParts parts{parts_.settings.name, parts_.registry, parts_.docker,
                    [&progress](const std::string& image, const PullProgress& sums) {
                      progress.pulling(image, sums);
                    },
                    [&progress](const std::string& line) { progress.remark(line); }};
  Puller puller(std::move(parts), hooks_.pull_bytes);
  co_return co_await puller.pull(std::move(images));
}

Task<Result<void>> Executor::try_files_of(std::string service, Release release,
                                          Rendering rendering) {
  const auto how = reload_of(rendering.service(service));
  const RunningService* const known = attempt_.from.find(service);
  const Release* const before = known == nullptr ? nullptr : parts_.store.find(known->release);
  if (!how || how->check.empty() || before == nullptr) co_return Result<void>();
  const auto containers = co_await containers_of_stack();
  const auto ids = co_await image_ids(release);
  const Result<Rendering> old = co_await rendering_of(before->number);
  if (!containers || !ids) co_return ids ? containers.error() : ids.error();
  if (!old) co_return Result<void>();
  const std::vector<Mount> mounts = mounts_of(rendering.service(service));
  // What is tried has the mounts of the container that runs.
  if (mounts != mounts_of(old->service(service))) co_return Result<void>();
  const auto like =
      std::find_if(containers->begin(), containers->end(), [&](const Container& container) {
        return container.service == service && container.state == ContainerState::running;
      });
  TrialRequest request;
  request.files = files_to_try(files_of(*before, service), files_of(release, service), mounts,
                               parts_.settings.directory, parts_.store.directory() / "trial");
  if (like == containers->end() || request.files.empty()) co_return Result<void>();
  request.name = trial_container_name();
  request.like = like->id;
  request.image = ids->contains(service) ? ids->at(service) : like->image_id;
  request.argv = how->check;
  request.hosts = rendering.service_names();
  const Result<TrialEnd> end = co_await parts_.docker.try_command(std::move(request));
  if (!end && is_transient(end.error().code)) co_return end.error();
  if (!end) {
    // The check is made once more before the signal is sent.
    parts_.progress.remark("the new files could not be tried: " + end.error().text());
    co_return Result<void>();
  }
  if (end->exit_code == 0) co_return Result<void>();
  co_return check_error(service, *how, end->exit_code, end->output);
}

Task<Result<void>> Executor::try_new_files(Release release) {
  // One that is replaced would be gone before its successor finds that it cannot start.
  std::vector<std::string> services = attempt_.plan.with(Action::reload);
  for (const Action action : {Action::recreate, Action::roll}) {
    for (std::string& service : attempt_.plan.with(action)) services.push_back(std::move(service));
  }
  const Result<Rendering> rendering = co_await rendering_of(release.number);
  if (!rendering) co_return rendering.error();
  std::erase_if(services, [&](const std::string& service) {
    const auto how = reload_of(rendering->service(service));
    return !how || how->check.empty();
  });
  if (services.empty()) co_return Result<void>();
  const std::filesystem::path trial = parts_.store.directory() / "trial";
  Result<void> tried = co_await parts_.git.stage(release.commit, trial);
  for (const std::string& service : services) {
    if (tried) tried = co_await try_files_of(service, release, *rendering);
  }
  const Result<void> removed = remove_tree(trial);
  if (!removed) spdlog::warn("{}: {}", parts_.settings.name, removed.error().text());
  co_return tried;
}

Task<Executor::Done> Executor::pull() {
  Done done;
  const Release release = *parts_.store.find(attempt_.release);
  const Result<void> pulled = co_await pull_images(release.images);
  if (!pulled) {
    const FailureClass cls = classify(Phase::pulling, pulled.error());
    done.result = result_of(cls);
    done.failure = co_await explain(Phase::pulling, pulled.error(), cls);
    co_return done;
  }
  const bool operator_rollback = attempt_.kind == AttemptKind::operator_rollback;
  if (!operator_rollback && hooks_.superseded(release)) {
    done.result = PhaseResult::superseded;
    co_return done;
  }
  // Pulling may have taken long.
  const Result<void> there = co_await volumes_are_there(release.number);
  if (!there) {
    done.result = PhaseResult::failed_by_world;
    done.failure = co_await explain(Phase::pulling, there.error(), FailureClass::world);
    co_return done;
  }
  const Result<void> tried = co_await try_new_files(release);
  if (!tried) {
    // That something is not there says nothing of the files.
    const bool refused = tried.error().code == Errc::invalid;
    const FailureClass cls = refused ? FailureClass::content : FailureClass::world;
    done.result = result_of(cls);
    done.failure = co_await explain(Phase::pulling, tried.error(), cls);
    co_return done;
  }
  if (operator_rollback) co_return done;
  co_return co_await check_data(release);
}

// What an image holds is known only now.
Task<Executor::Done> Executor::check_data(Release release) {
  Done done;
  const auto containers = co_await containers_of_stack();
  if (!containers) co_return done;  // what comes next will say so
  preflight::Input input;
  input.postgres = co_await postgres_majors(parts_.docker, *containers, release.images);
  if (input.postgres.empty()) co_return done;
  const Result<Rendering> next = co_await rendering_of(release.number);
  if (!next) co_return done;
  input.next = &*next;
  Result<Rendering> current = Error{Errc::not_found, "nothing was deployed", {}};
  if (attempt_.fallback != 0) current = co_await rendering_of(attempt_.fallback);
  if (current) input.current = &*current;
  const preflight::Findings findings = preflight::postgres_major(input);
  if (findings.empty()) co_return done;
  done.result = PhaseResult::failed_by_content;
  done.failure = Failure{FailureClass::content,
                         std::string(to_string(attempt_.phase)),
                         findings.front().message,
                         findings.front().hint,
                         {}};
  co_return done;
}

// --- switching

Task<Result<SwitchReport>> Executor::move_checkout(int from, int to) {
  std::set<std::string> in_place;
  for (const int number : {from, to}) {
    const Release* const release = parts_.store.find(number);
    if (release == nullptr) continue;
    const Result<Rendering> rendering = co_await rendering_of(number);
    // The release being left is replaced anyway: only the goal's mounted files have to be known.
    if (!rendering && number != to) continue;
    if (!rendering) co_return rendering.error();
    const Result<std::vector<TreeEntry>> tree = co_await parts_.git.tree(release->commit);
    if (!tree) co_return tree.error();
    const auto mounted = mounted_paths(rendering->model, parts_.settings.directory.string());
    const auto files = files_mounted_alone(mounted, *tree);
    in_place.insert(files.begin(), files.end());
  }
  const Release* const before = parts_.store.find(from);
  const std::string from_commit = before == nullptr ? std::string() : before->commit;
  const std::string to_commit = parts_.store.find(to)->commit;
  const std::vector<std::string> paths(in_place.begin(), in_place.end());
  co_return co_await parts_.git.bring_to(parts_.settings.directory, from_commit, to_commit, paths,
                                         parts_.store.saved());
}

Task<Executor::Done> Executor::switch_over() {
  Done done;
  Result<void> linked = co_await volumes_are_there(attempt_.release);
  Result<SwitchReport> report = SwitchReport{};
  if (linked) report = co_await move_checkout(attempt_.checkout, attempt_.release);
  if (!report) linked = report.error();
  if (linked) {
    if (!report->local_edits.empty()) {
      const std::string notice = "edits made by hand in " + parts_.settings.directory.string() +
                                 " (" + join(report->local_edits, ", ") + ") were saved as " +
                                 report->saved_patch.string();
      parts_.progress.remark(notice);
      linked =
          update(attempt_.release, [&](Release& release) { release.notices.push_back(notice); });
    }
    failpoint("switching:checked_out");
    // A job whose container is gone since is known from the record alone.
    const Release release = *parts_.store.find(attempt_.release);
    if (linked) linked = co_await save_boot_file(release.number, release.jobs);
    if (linked) linked = parts_.store.set_current(attempt_.release);
  }
  if (!linked) {
    done.docker_lost = linked.error().code == Errc::unavailable;
    const FailureClass cls = classify(Phase::switching, linked.error());
    done.result = result_of(cls);
    done.failure = co_await explain(Phase::switching, linked.error(), cls);
  }
  co_return done;
}

// --- starting

Task<Result<Rendering>> Executor::rendering_of(int number) {
  const Result<void> readable = co_await hooks_.make_readable(number);
  if (!readable) co_return readable.error();
  co_return read_rendering(parts_.store, number);
}

Task<Result<void>> Executor::save_boot_file(int number, std::set<std::string> jobs) {
  const Result<Rendering> rendering = co_await rendering_of(number);
  if (!rendering) co_return rendering.error();
  const auto saved = co_await save_boot_files(parts_.docker, parts_.settings, parts_.store,
                                              *rendering, number, std::move(jobs));
  if (!saved) co_return saved.error();
  co_return Result<void>();
}

Task<Result<std::vector<Container>>> Executor::containers_of_stack() {
  co_return co_await own_containers(parts_.docker, parts_.settings, parts_.store, parts_.project);
}

Task<Result<void>> Executor::volumes_are_there(int number) {
  const Result<Rendering> rendering = co_await rendering_of(number);
  if (!rendering) co_return rendering.error();
  co_return co_await trimtab::volumes_are_there(parts_.docker, parts_.store, *rendering, number);
}

Task<Result<void>> Executor::may_apply(int number, Plan plan) {
  std::vector<std::string> services = plan.to_apply();
  for (std::string& rolled : plan.with(Action::roll)) services.push_back(std::move(rolled));
  if (services.empty()) co_return Result<void>();
  const auto found =
      co_await project_containers(parts_.docker, parts_.settings, parts_.store, parts_.project);
  if (!found) co_return found.error();
  if (auto obstacle = foreign_obstacle(found->foreign, services)) co_return std::move(*obstacle);
  co_return co_await volumes_are_there(number);
}

Task<Result<void>> Executor::remove_services(std::vector<std::string> services) {
  if (services.empty()) co_return Result<void>();
  const auto found =
      co_await project_containers(parts_.docker, parts_.settings, parts_.store, parts_.project);
  if (!found) co_return found.error();
  for (const Container& container : found->own) {
    if (maker_of(container, found->signs) != Maker::trimtab) continue;
    if (std::find(services.begin(), services.end(), container.service) == services.end()) continue;
    const Result<void> stopped = co_await parts_.docker.stop(container.id);
    if (!stopped) co_return stopped;
    const Result<void> removed = co_await parts_.docker.remove(container.id);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

// Compose that was killed while it replaced a container leaves the new one, never started, beside
// the old one, and trips over its name the next time.
Task<Result<void>> Executor::remove_half_made(std::vector<std::string> services) {
  const auto containers = co_await containers_of_stack();
  if (!containers) co_return containers.error();
  const std::vector<Container> half = half_made(*containers);
  for (const Container& container : half) {
    if (std::find(services.begin(), services.end(), container.service) == services.end()) continue;
    const Result<void> removed = co_await parts_.docker.remove(container.id);
    if (!removed) co_return removed;
  }
  co_return Result<void>();
}

// Only what the plan names: a plain `up` would start jobs again, and containers that an operator
// stopped.
Task<Result<void>> Executor::apply(int number, Plan plan, bool force_recreate) {
  const std::vector<std::string> services = plan.to_apply();
  if (!services.empty()) {
    const Result<void> tidied = co_await remove_half_made(services);
    if (!tidied) co_return tidied;
    UpRequest request;
    request.file = parts_.store.compose_file(number);
    request.directory = parts_.settings.directory;
    request.project = parts_.project;
    request.services = services;
    request.force_recreate = force_recreate;
    // It waits until what others depend on is healthy.
    const Result<Rendering> rendering = co_await rendering_of(number);
    if (!rendering) co_return rendering.error();
    for (const std::string& service : services) {
      const auto check = health_check_of(rendering->service(service), nullptr);
      if (check) request.timeout += std::min(health_known_after(*check), longest_health_wait);
    }
    const Result<void> applied = co_await parts_.compose.up(request);
    if (!applied) co_return applied;
  }
  const Release* const going_back_to =
      attempt_.phase == Phase::rolling_back ? parts_.store.find(number) : nullptr;
  const SeenContainers keep = going_back_to == nullptr ? SeenContainers() : going_back_to->seen;
  // Before the roll: that reloads the proxy as well.
  const Result<void> ready = co_await wait_for_what_is_proxied(number, plan);
  if (!ready && attempt_.phase != Phase::rolling_back) co_return ready;
  const Result<void> rolled = co_await roll(number, plan.with(Action::roll), keep);
  if (!rolled) co_return rolled;
  const Result<void> restarted = co_await restart(number, plan.with(Action::restart));
  if (!restarted) co_return restarted;
  co_return co_await reload(number, plan.with(Action::reload));
}

// A proxy that is reloaded sends requests to what was just started.
Task<Result<void>> Executor::wait_for_what_is_proxied(int number, Plan plan) {
  const std::vector<std::string> reloaded = plan.with(Action::reload);
  const std::vector<std::string> started = plan.to_apply();
  if (reloaded.empty() || started.empty()) co_return Result<void>();
  const Result<Rendering> rendering = co_await rendering_of(number);
  if (!rendering) co_return rendering.error();
  const auto ids = co_await image_ids(*parts_.store.find(number));
  if (!ids) co_return ids.error();
  GateDemand demand =
      demand_of(*rendering, parts_.settings.gate, *ids, Observed{}, plan, attempt_.unwell);
  demand.stable = std::chrono::milliseconds(0);
  std::set<std::string> proxied;
  for (const std::string& proxy : reloaded) {
    for (std::string& name : dependencies_of(rendering->service(proxy))) {
      if (std::find(started.begin(), started.end(), name) != started.end()) {
        proxied.insert(std::move(name));
      }
    }
  }
  std::erase_if(demand.services, [&](const auto& one) { return !proxied.contains(one.first); });
  if (demand.services.empty()) co_return Result<void>();
  const Done done = co_await watch_gate(std::move(demand), {});
  if (done.result == PhaseResult::done) co_return Result<void>();
  apply_failure_ = done.failure;
  if (done.docker_lost) co_return Error{Errc::unavailable, "Docker does not answer", {}};
  if (!done.failure) co_return Error{Errc::cancelled, "stopped while services started", {}};
  co_return Error{Errc::failed, done.failure->reason, {}};
}

Task<Result<void>> Executor::restart(int number, std::vector<std::string> services) {
  if (services.empty()) co_return Result<void>();
  const Result<Rendering> rendering = co_await rendering_of(number);
  if (!rendering) co_return rendering.error();
  const auto containers = co_await containers_of_stack();
  if (!containers) co_return containers.error();
  // One that shares another's network joins what that has once it has been restarted.
  services = dependencies_first(std::move(services), *rendering);
  for (const std::string& service : services) {
    for (const Container& container : *containers) {
      if (container.service != service) continue;
      const Result<void> restarted = co_await parts_.docker.restart(container.id);
      if (!restarted) co_return restarted;
    }
  }
  co_return Result<void>();
}

// What runs now goes, but for `keep`. A phase that is begun again goes on with what was noted.
Task<Result<void>> Executor::note_leaving(std::vector<std::string> services, SeenContainers keep) {
  if (attempt_.leaving) co_return Result<void>();
  const auto containers = co_await containers_of_stack();
  if (!containers) co_return containers.error();
  SeenContainers leaving;
  for (const Container& container : *containers) {
    const auto kept = keep.find(container.service);
    const bool stays = kept != keep.end() && kept->second.contains(container.id);
    const bool rolled =
        std::find(services.begin(), services.end(), container.service) != services.end();
    if (rolled && !stays) leaving[container.service].insert(container.id);
  }
  attempt_.leaving = std::move(leaving);
  co_return parts_.store.journal(attempt_);
}

std::map<std::string, std::string> Executor::files_before(const std::string& service) const {
  const RunningService* const known = attempt_.from.find(service);
  const Release* const before = known == nullptr ? nullptr : parts_.store.find(known->release);
  return before == nullptr ? std::map<std::string, std::string>() : files_of(*before, service);
}

// The services whose mounted files the release changes.
std::set<std::string> Executor::with_new_files(const Release& release) const {
  std::set<std::string> services;
  for (const auto& [service, known] : attempt_.from.services) {
    if (known.release != 0 && files_before(service) != files_of(release, service)) {
      services.insert(service);
    }
  }
  return services;
}

Task<Result<void>> Executor::roll(int number, std::vector<std::string> services,
                                  SeenContainers keep) {
  if (services.empty()) co_return Result<void>();
  const Result<void> noted = co_await note_leaving(services, std::move(keep));
  if (!noted) co_return noted;
  const Result<Rendering> rendering = co_await rendering_of(number);
  if (!rendering) co_return rendering.error();
  const Release release = *parts_.store.find(number);
  const auto ids = co_await image_ids(release);
  if (!ids) co_return ids.error();
  Progress& progress = parts_.progress;
  RollerParts parts{parts_.settings,
                    parts_.project,
                    parts_.docker,
                    parts_.compose,
                    parts_.store,
                    parts_.engine_changed,
                    stop_requested_,
                    [&progress](const auto& waiting) { progress.waiting_for(waiting); },
                    [&progress](const std::string& line) { progress.remark(line); }};
  services = dependencies_first(std::move(services), *rendering);
  for (const std::string& service : services) {
    Roll wanted;
    wanted.service = service;
    wanted.compose_file = parts_.store.compose_file(number);
    wanted.rendering = &*rendering;
    if (const auto id = ids->find(service); id != ids->end()) wanted.image_id = id->second;
    if (const auto old = attempt_.leaving->find(service); old != attempt_.leaving->end()) {
      wanted.leaving = old->second;
    }
    wanted.others_start = !attempt_.plan.to_apply().empty();
    wanted.going_back = attempt_.phase == Phase::rolling_back;
    wanted.with_new_files = with_new_files(release);
    Roller roller(parts, std::move(wanted));
    const Result<void> rolled = co_await roller.run();
    apply_failure_ = roller.failure();
    if (!rolled) co_return rolled;
  }
  co_return Result<void>();
}

Task<Result<void>> Executor::reload(int number, std::vector<std::string> services) {
  if (services.empty()) co_return Result<void>();
  const Result<Rendering> rendering = co_await rendering_of(number);
  if (!rendering) co_return rendering.error();
  const auto containers = co_await containers_of_stack();
  if (!containers) co_return containers.error();
  const std::set<std::string> changed = with_new_files(*parts_.store.find(number));
  for (const Container& container : *containers) {
    if (std::find(services.begin(), services.end(), container.service) == services.end()) continue;
    const auto how = reload_of(rendering->service(container.service));
    if (!how || container.state != ContainerState::running) continue;
    const Result<void> reloaded = co_await reload_container(parts_.docker, container, *how);
    if (reloaded) continue;
    // Files that are as before are not at fault: what it misses is for the gate to say. While going
    // back what runs matters more, too.
    const bool by_files =
        attempt_.phase != Phase::rolling_back && changed.contains(container.service);
    if (by_files || is_transient(reloaded.error().code)) co_return reloaded;
    parts_.progress.remark(reloaded.error().text());
  }
  co_return Result<void>();
}

// Whether a container that the plan replaces is still the one that ran before. What was not
// verified to run, as where a stack is taken over, Compose compares by itself.
bool Executor::any_to_replace(const std::vector<Container>& containers) const {
  const std::vector<std::string> services = attempt_.plan.to_apply();
  return std::any_of(containers.begin(), containers.end(), [&](const Container& container) {
    return std::find(services.begin(), services.end(), container.service) != services.end() &&
           attempt_.from.has(container.service, container.id);
  });
}

Result<void> Executor::note_touched(const Plan& plan) {
  RunningSet running = parts_.store.running();
  touch(running, plan);
  if (running == parts_.store.running()) return {};
  return parts_.store.set_running(std::move(running));
}

Task<Result<void>> Executor::start_services() {
  const Result<Rendering> rendering = co_await rendering_of(attempt_.release);
  if (!rendering) co_return rendering.error();
  const auto containers = co_await containers_of_stack();
  if (!containers) co_return containers.error();
  const Result<void> may = co_await may_apply(attempt_.release, attempt_.plan);
  if (!may) co_return may;
  // A service that leaves goes after the gate, so that going back need not start it again.
  const Result<void> removed =
      co_await remove_services(in_the_way_of(*rendering, *containers, attempt_.plan));
  if (!removed) co_return removed;
  co_return co_await apply(attempt_.release, attempt_.plan, any_to_replace(*containers));
}

Task<Executor::Done> Executor::start() {
  Done done;
  if (attempt_.plan.empty()) co_return done;
  Result<void> applied = note_touched(attempt_.plan);
  if (applied) applied = co_await start_services();
  if (applied) co_return done;
  done.docker_lost = applied.error().code == Errc::unavailable;
  if (apply_failure_) {
    apply_failure_->phase = to_string(Phase::starting);
    done.failure = std::exchange(apply_failure_, std::nullopt);
  } else {
    const FailureClass cls = classify(Phase::starting, applied.error());
    done.failure = co_await explain(Phase::starting, applied.error(), cls);
  }
  done.result = result_of(done.failure->cls);
  co_return done;
}

// --- gating

Task<Result<std::map<std::string, std::string>>> Executor::image_ids(Release release) {
  std::map<std::string, std::string> ids;
  for (const auto& [service, pin] : release.images) {
    const Result<Image> image = co_await parts_.docker.image(pin.pinned);
    if (!image) co_return image.error();
    ids[service] = image->id;
  }
  co_return ids;
}

Task<Executor::Done> Executor::watch_gate(GateDemand demand, std::vector<ProbeSettings> probed) {
  Done done;
  Gate gate(std::move(demand), SteadyClock::now());
  for (;;) {
    auto containers = co_await containers_of_stack();
    if (!containers) {
      done.docker_lost = true;
      done.result = PhaseResult::failed_by_world;
      done.failure = co_await explain(attempt_.phase, containers.error(), FailureClass::world);
      co_return done;
    }
    // What a Compose that gave up had asked for may come into being only now.
    const std::vector<Container> half = half_made(*containers);
    for (const Container& stray : half) {
      std::erase_if(*containers, [&](const Container& one) { return one.id == stray.id; });
      const Result<void> removed = co_await parts_.docker.remove(stray.id);
      if (!removed) spdlog::warn("{}: {}", parts_.settings.name, removed.error().text());
    }
    std::vector<ProbeAnswer> probes;
    for (const ProbeSettings& settings : probed) {
      probes.push_back(co_await probe(settings));
    }
    GateVerdict verdict = gate.observe(*containers, probes, SteadyClock::now());
    if (verdict.state == GateVerdict::State::passed) co_return done;
    if (verdict.state == GateVerdict::State::failed) {
      done.result = result_of(verdict.cls);
      Failure failure{verdict.cls, std::string(to_string(attempt_.phase)), verdict.reason, {}, {}};
      failure.services = std::move(verdict.services);
      co_await add_logs(&failure.services);
      done.failure = std::move(failure);
      co_return done;
    }
    parts_.progress.waiting_for(verdict.waiting_for);
    co_await parts_.engine_changed.wait_until(gate.next_look(SteadyClock::now()));
    if (stop_requested_) {
      // No verdict: the next start, or the unit's, begins this phase again.
      done.result = PhaseResult::failed_by_world;
      co_return done;
    }
  }
}

Task<Executor::Done> Executor::gate() {
  Done done;
  // It is what passed its gate before.
  if (attempt_.kind == AttemptKind::record_only) co_return done;
  const Release release = *parts_.store.find(attempt_.release);
  const Result<Rendering> rendering = co_await rendering_of(attempt_.release);
  if (!rendering) {
    done.result = PhaseResult::failed_by_world;
    done.failure = co_await explain(Phase::gating, rendering.error(), FailureClass::world);
    co_return done;
  }
  const auto ids = co_await image_ids(release);
  const auto containers = co_await containers_of_stack();
  if (!ids || !containers) {
    const Error error = ids ? containers.error() : ids.error();
    done.docker_lost = is_transient(error.code);
    const FailureClass cls = classify(Phase::gating, error);
    done.result = result_of(cls);
    done.failure = co_await explain(Phase::gating, error, cls);
    co_return done;
  }
  const Observed before = verified_before(*containers);
  std::set<std::string> excused = attempt_.unwell;
  excused.merge(attempt_.from.jobs());
  GateDemand demand =
      demand_of(*rendering, parts_.settings.gate, *ids, before, attempt_.plan, excused);
  co_return co_await watch_gate(std::move(demand), parts_.settings.gate.probe);
}

// --- committing

// Containers that somebody created by hand next to the release are not part of it.
Task<Result<void>> Executor::note_running(int number, Plan plan) {
  const Result<Rendering> rendering = co_await rendering_of(number);
  if (!rendering) co_return rendering.error();
  const auto found =
      co_await project_containers(parts_.docker, parts_.settings, parts_.store, parts_.project);
  if (!found) co_return found.error();
  const std::vector<Container> containers =
      without_hand_made_rest(found->own, found->signs, *rendering);
  const RunningSet running =
      running_after(*parts_.store.find(number), attempt_.from, plan, containers);
  const Result<void> saved = co_await save_boot_file(number, running.jobs());
  if (!saved) co_return saved;
  const Result<void> noted = update(number, [&](Release& release) {
    release.seen.clear();
    for (const auto& [name, service] : running.services) {
      if (!service.containers.empty()) release.seen[name] = service.containers;
    }
    release.jobs = running.jobs();
  });
  if (!noted) co_return noted;
  co_return parts_.store.set_running(running);
}

Task<Executor::Done> Executor::commit() {
  Done done;
  const Result<void> removed = co_await remove_services(attempt_.plan.with(Action::remove));
  noted_ = co_await note_running(attempt_.release, attempt_.plan);
  if (!removed) {
    spdlog::warn("{}: release {} works, but cleaning up after it failed: {}", parts_.settings.name,
                 attempt_.release, removed.error().text());
  }
  for (const Result<void>& result : {removed, *noted_}) {
    if (result) continue;
    done.result = PhaseResult::failed_by_world;
    const bool full = result.error().code == Errc::no_space;
    done.docker_lost = done.docker_lost || (is_transient(result.error().code) && !full);
  }
  co_return done;
}

// --- going back

Task<Result<Base>> Executor::base_of_plans() {
  Base base;
  base.running = parts_.store.running();
  const std::set<int> numbers = releases_of(base.running);
  for (const int number : numbers) {
    const Result<Rendering> rendering = co_await rendering_of(number);
    const Release* const release = parts_.store.find(number);
    if (!rendering && is_transient(rendering.error().code)) co_return rendering.error();
    if (!rendering || release == nullptr) continue;
    base.releases[number] = {*rendering, release->mounted_files};
  }
  co_return base;
}

Observed Executor::verified_before(const std::vector<Container>& containers) const {
  Observed before;
  for (const Container& container : containers) {
    if (attempt_.from.has(container.service, container.id)) before.containers.push_back(container);
  }
  return before;
}

// Falls back to an older good release if the rendering of the one to go back to is lost.
Task<Result<void>> Executor::choose_readable_fallback() {
  for (;;) {
    const int number = attempt_.fallback;
    const Result<Rendering> rendering = co_await rendering_of(number);
    if (rendering) co_return Result<void>();
    const Release* const older = parts_.store.last_good_before(*parts_.store.find(number));
    // Without Compose for a moment nothing can be rendered again: that is no reason.
    const bool lost = !parts_.compose.problem() && is_lost(parts_.store, number, rendering.error());
    if (!lost || older == nullptr) co_return rendering.error();
    attempt_.fallback = older->number;
    const std::string notice = "it could not go back to release " + std::to_string(number) +
                               ", but to release " + std::to_string(attempt_.fallback) + ": " +
                               rendering.error().text();
    parts_.progress.remark(notice);
    Result<void> noted = parts_.store.journal(attempt_);
    if (noted) {
      noted =
          update(attempt_.release, [&](Release& release) { release.notices.push_back(notice); });
    }
    if (!noted) co_return noted;
  }
}

Task<Executor::Done> Executor::roll_back() {
  Done done;
  Result<void> result = co_await choose_readable_fallback();
  const Release good = *parts_.store.find(attempt_.fallback);
  const Result<Rendering> rendering = co_await rendering_of(good.number);
  const auto containers =
      co_await project_containers(parts_.docker, parts_.settings, parts_.store, parts_.project);
  const Result<Base> base = co_await base_of_plans();
  if (result && !rendering) result = rendering.error();
  if (result && !containers) result = containers.error();
  if (result && !base) result = base.error();
  Plan plan;
  if (result) {
    Observed observed;
    observed.containers = without_hand_made_rest(containers->own, containers->signs, *rendering);
    plan = make_rollback_plan(target_of(good, *rendering), *base, attempt_.plan, attempt_.unwell,
                              observed);
    result = co_await may_apply(good.number, plan);
  }
  if (result) {
    attempt_.return_plan = plan;
    // As in begin(): what is not written counts until the next start.
    const Result<void> planned = parts_.store.journal(attempt_);
    if (!planned) spdlog::warn("{}: {}", parts_.settings.name, planned.error().text());
    const Result<void> touched = note_touched(plan);
    if (!touched) spdlog::warn("{}: {}", parts_.settings.name, touched.error().text());
    // Everything that will be needed is here before anything is stopped.
    std::map<std::string, ImagePin> needed;
    std::vector<std::string> replaced = plan.to_apply();
    const std::vector<std::string> rolled = plan.with(Action::roll);
    replaced.insert(replaced.end(), rolled.begin(), rolled.end());
    for (const std::string& service : replaced) {
      const auto pin = good.images.find(service);
      if (pin != good.images.end()) needed.insert(*pin);
    }
    result = co_await pull_images(std::move(needed));
  }
  if (result) {
    const Result<SwitchReport> report = co_await move_checkout(attempt_.release, attempt_.fallback);
    if (!report) result = report.error();
  }
  if (result) result = co_await save_boot_file(good.number, good.jobs);
  failpoint("rolling_back:checked_out");
  if (result) result = parts_.store.set_current(good.number);
  std::vector<std::string> in_the_way;
  if (result) in_the_way = in_the_way_of(*rendering, containers->own, plan);
  if (result) result = co_await remove_services(in_the_way);
  if (result) result = co_await apply(good.number, plan, true);
  // Until then a proxy may have sent requests there.
  if (result) result = co_await remove_services(plan.with(Action::remove));
  if (!result) {
    const FailureClass cls = classify(Phase::rolling_back, result.error());
    done.docker_lost = is_transient(result.error().code);
    done.result = result_of(cls);
    done.failure = co_await explain(Phase::rolling_back, result.error(), cls);
  }
  co_return done;
}

Task<Executor::Done> Executor::gate_rollback() {
  Done done;
  const Release good = *parts_.store.find(attempt_.fallback);
  const Result<Rendering> rendering = co_await rendering_of(good.number);
  const auto ids = co_await image_ids(good);
  const auto containers = co_await containers_of_stack();
  if (!rendering || !ids || !containers) {
    const Error error = !rendering ? rendering.error() : ids ? containers.error() : ids.error();
    done.docker_lost = is_transient(error.code);
    done.result = PhaseResult::failed_by_world;
    done.failure = co_await explain(Phase::gating_rollback, error, FailureClass::world);
    co_return done;
  }
  std::set<std::string> excused = attempt_.unwell;
  excused.insert(good.jobs.begin(), good.jobs.end());
  // What it left alone may run another image, put there by hand.
  GateDemand demand = demand_of(*rendering, parts_.settings.gate, *ids,
                                verified_before(*containers), attempt_.return_plan, excused);
  done = co_await watch_gate(std::move(demand), parts_.settings.gate.probe);
  if (done.result == PhaseResult::done) {
    const Result<void> noted = co_await note_running(good.number, attempt_.return_plan);
    if (!noted) done.docker_lost = true;
  }
  co_return done;
}

// --- what went wrong

Task<void> Executor::add_logs(std::vector<ServiceFailure>* services) {
  const auto containers = co_await containers_of_stack();
  if (!containers) co_return;
  for (ServiceFailure& failure : *services) {
    for (const Container& container : *containers) {
      if (container.service != failure.service) continue;
      co_await add_last_lines(parts_.docker, container.id, &failure);
    }
  }
}

Task<Failure> Executor::explain(Phase phase, Error error, FailureClass cls) {
  Failure failure;
  failure.cls = cls;
  failure.phase = to_string(phase);
  failure.reason = error.message;
  failure.hint = error.hint;
  if (phase != Phase::starting) co_return failure;
  // Compose names a container that failed; its log says why.
  const auto containers = co_await containers_of_stack();
  if (!containers) co_return failure;
  for (const Container& container : *containers) {
    const bool unwell = container.health == Health::unhealthy ||
                        container.state == ContainerState::restarting ||
                        (container.state == ContainerState::exited && container.exit_code != 0) ||
                        !container.error.empty();
    if (!unwell) continue;
    // It may have been killed for want of memory whatever Compose makes of its end.
    if (container.oom_killed) failure.cls = FailureClass::world;
    // Nothing can join the network of one that has ended; the runtime's words do not tell why.
    if (ended_by_itself(container) && is_shared(container, *containers)) {
      failure.cls = FailureClass::content;
    }
    ServiceFailure service;
    service.service = container.service;
    service.reason = !container.error.empty() ? container.error
                     : container.health == Health::unhealthy
                         ? std::string("unhealthy")
                         : "exited with " + std::to_string(container.exit_code);
    failure.services.push_back(std::move(service));
  }
  co_await add_logs(&failure.services);
  co_return failure;
}

Task<bool> Executor::wait_for_docker() {
  const SteadyClock::time_point deadline = SteadyClock::now() + docker_patience;
  while (!stop_requested_ && SteadyClock::now() < deadline) {
    const Result<EngineInfo> info = co_await parts_.docker.info();
    if (info) co_return true;
    const Result<void> slept = co_await sleep_for(std::chrono::seconds(1));
    if (!slept) co_return false;
  }
  co_return false;
}

// As the reconciler does it while nothing is deployed.
Task<void> Executor::start_what_docker_left_down() {
  const auto found =
      co_await project_containers(parts_.docker, parts_.settings, parts_.store, parts_.project);
  const Result<Rendering> rendering = co_await rendering_of(attempt_.release);
  if (!found || !rendering) co_return;
  const std::vector<Container> containers =
      without_hand_made_rest(found->own, found->signs, *rendering);
  for (const Container& container : containers) {
    const RunningService* const known = attempt_.from.find(container.service);
    const bool ran_on = known != nullptr && !known->containers.empty() && !known->is_job;
    const bool stopped_by_docker =
        is_stopped_by_hand(container) || (container.state == ContainerState::exited && ran_on);
    if (!stopped_by_docker || attempt_.unwell.contains(container.service)) continue;
    parts_.progress.remark(container.service + " did not come back with Docker: it is started");
    const Result<void> started = co_await parts_.docker.restart(container.id);
    if (!started) spdlog::warn("{}: {}", parts_.settings.name, started.error().text());
  }
}

// --- the end

Result<void> Executor::update(int number, const std::function<void(Release&)>& change) {
  const Release* const found = parts_.store.find(number);
  if (found == nullptr) {
    return Error{Errc::not_found, "release " + std::to_string(number) + " is not there", {}};
  }
  Release release = *found;
  change(release);
  return parts_.store.save(release);
}

Result<void> Executor::finish(AttemptEnd end) {
  const Release* const found = parts_.store.find(attempt_.release);
  if (found == nullptr) return Error{Errc::not_found, "its release is gone", {}};
  const Release release = *found;
  const bool content = !attempt_.failure || attempt_.failure->cls == FailureClass::content;
  const auto outcome = [&]() -> std::optional<Outcome> {
    switch (end) {
      case AttemptEnd::committed:
        return Outcome::good;
      case AttemptEnd::rejected:
        return Outcome::rejected;
      case AttemptEnd::superseded:
        return Outcome::superseded;
      case AttemptEnd::rolled_back:
        return Outcome::rolled_back;
      case AttemptEnd::failed:
        return Outcome::failed;
      case AttemptEnd::postponed:
      case AttemptEnd::suspended:
        return Outcome::in_progress;
    }
    return std::nullopt;
  }();
  const Release* const before = parts_.store.find(attempt_.fallback);
  std::optional<WallTime> probation_until;
  const bool operator_rollback = attempt_.kind == AttemptKind::operator_rollback;
  if (end == AttemptEnd::committed && before != nullptr && !operator_rollback) {
    // A commit that changes nothing of what runs does not end the probation of what does.
    if (attempt_.kind == AttemptKind::record_only) {
      probation_until = before->probation_until;
    } else if (parts_.settings.gate.probation.count() > 0) {
      probation_until = wall_now() + parts_.settings.gate.probation;
    }
  }
  // An operator's rollback that did not work says nothing against the release it went to.
  const bool judged = !operator_rollback || end == AttemptEnd::committed;
  Result<void> result = update(attempt_.release, [&](Release& changed) {
    if (judged) {
      changed.outcome = *outcome;
      changed.failure = end == AttemptEnd::committed ? std::nullopt : attempt_.failure;
      changed.probation_until = probation_until;
    } else if (attempt_.failure) {
      add_notice(changed, "going back to it failed in phase " + attempt_.failure->phase + ": " +
                              attempt_.failure->reason);
    }
  });
  const bool failed =
      end == AttemptEnd::rejected || end == AttemptEnd::rolled_back || end == AttemptEnd::failed;
  // Where the content is that of what it went back to, the repair failed, not the content.
  const bool is_new = before == nullptr || before->content_key != release.content_key;
  if (result && failed && content && judged && is_new) {
    result = parts_.store.reject(release.content_key);
  }
  if (result && end == AttemptEnd::committed) {
    result = parts_.store.pardon(release.content_key);
    const Release* const left = parts_.store.find(attempt_.checkout);
    if (result && operator_rollback && left != nullptr) {
      const std::string left_content = left->content_key;
      result = update(left->number, [&](Release& changed) {
        changed.outcome = Outcome::rolled_back;
        add_notice(changed,
                   "an operator went back from it to release " + std::to_string(attempt_.release));
      });
      if (result) result = parts_.store.reject(left_content);
    }
  }
  failpoint("finish:recorded");
  if (result) result = parts_.store.close_journal();
  return result;
}

}  // namespace trimtab
