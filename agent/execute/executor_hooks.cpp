// The stack's hooks: commands around a deployment, in a running container, in one of the new
// release, or on the host.

#include <algorithm>

#include "agent/execute/executor.hpp"
#include "agent/plan/diff.hpp"
#include "common/log.hpp"
#include "common/process.hpp"
#include "common/trusted_file.hpp"

namespace trimtab {
namespace {

constexpr const char* hook_mark_name = "TRIMTAB_HOOK_OF";
constexpr std::size_t kept_lines = 100;
constexpr std::size_t longest_line = 500;
constexpr auto tidying_patience = std::chrono::seconds(30);

void keep_line(std::vector<std::string>* output, std::string_view line) {
  std::string shown = printable(line.substr(0, longest_line));
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  if (output->size() == kept_lines) output->erase(output->begin());
  output->push_back(std::move(shown));
}

void keep_lines(std::vector<std::string>* output, std::string_view text) {
  for (const std::string& line : split(text, '\n')) {
    if (!line.empty()) keep_line(output, line);
  }
}

// Not the arguments, which may hold what is nobody's business.
std::string name_of(const HookSettings& hook) {
  const std::string program = hook.service.empty() ? hook.program.string() : hook.run.front();
  const std::string base = program.substr(program.rfind('/') + 1);
  return hook.service.empty() ? base : hook.service + ": " + base;
}

// Ends what a hook leaves running where it did not end by itself: the Engine cannot end a command
// in a container, nor does the end of Compose end the container.
class Leftovers {
 public:
  explicit Leftovers(std::string mark) : mark_(std::move(mark)) { end_marked(mark_); }
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;
  ~Leftovers() {
    if (!ended_) end_marked(mark_);
  }
  void none() { ended_ = true; }

 private:
  std::string mark_;
  bool ended_ = false;
};

}  // namespace

std::map<std::string, std::string> Executor::hook_environment() const {
  const Release& release = *parts_.store.find(attempt_.release);
  std::map<std::string, std::string> environment;
  environment["TRIMTAB_STACK"] = parts_.settings.name;
  environment["TRIMTAB_RELEASE"] = std::to_string(attempt_.release);
  environment["TRIMTAB_COMMIT"] = release.commit;
  environment["TRIMTAB_PREVIOUS_RELEASE"] =
      attempt_.fallback == 0 ? std::string() : std::to_string(attempt_.fallback);
  environment["TRIMTAB_PHASE"] = to_string(attempt_.phase);
  environment[hook_mark_name] = parts_.store.directory().string();
  return environment;
}

std::string Executor::hook_mark() const {
  return std::string(hook_mark_name) + "=" + parts_.store.directory().string();
}

Task<Executor::Done> Executor::run_hooks(std::vector<HookSettings> hooks) {
  Done done;
  const std::string phase(to_string(attempt_.phase));
  Result<void> noted = update(attempt_.release, [&](Release& release) {
    if (attempt_.phase == Phase::before) release.hooks.clear();
    std::erase_if(release.hooks, [&](const HookRun& run) { return run.phase == phase; });
  });
  for (const HookSettings& hook : hooks) {
    HookRun run;
    run.phase = phase;
    run.name = name_of(hook);
    bool late = false;
    WallTime begun_at;
    if (noted && !stop_requested_) {
      parts_.progress.hook_begun(run.name, hook.timeout);
      const SteadyClock::time_point begun = SteadyClock::now();
      begun_at = wall_now();
      const Result<HookEnd> end = co_await run_hook(hook, &run.output);
      const std::chrono::duration<double> took = SteadyClock::now() - begun;
      run.seconds = took.count();
      parts_.progress.waiting_for({});
      if (end && !end->skipped.empty()) {
        const std::string notice = "hook " + run.name + " was skipped: " + end->skipped;
        parts_.progress.remark(notice);
        noted = update(attempt_.release, [&](Release& release) {
          if (std::find(release.notices.begin(), release.notices.end(), notice) ==
              release.notices.end()) {
            release.notices.push_back(notice);
          }
        });
        continue;
      }
      if (end) run.exit = end->exit;
      late = !end && end.error().code == Errc::timed_out;
      if (!end) run.problem = end.error().message;
      if (end && end->exit != 0) run.problem = "exited with " + std::to_string(end->exit);
    }
    run.problem = hooks_.values.hide_in_error(run.problem);
    for (std::string& line : run.output) line = hooks_.values.hide_in(line);
    // Being stopped says nothing of the hook: the next start runs it again.
    if (stop_requested_) {
      done.result = PhaseResult::failed_by_world;
      co_return done;
    }
    if (noted) {
      noted = update(attempt_.release, [&](Release& release) { release.hooks.push_back(run); });
    }
    if (!noted) {
      done.result = PhaseResult::failed_by_world;
      done.failure =
          Failure{FailureClass::world, phase, noted.error().message, noted.error().hint, {}};
      co_return done;
    }
    if (run.problem.empty()) {
      parts_.progress.remark("hook " + run.name + " is done");
      continue;
    }
    const std::string what = "hook " + run.name + " " + run.problem;
    if (attempt_.phase == Phase::after || !hook.stop_on_failure) {
      spdlog::warn("{}: {}", parts_.settings.name, what);
      parts_.progress.remark(what);
      noted = update(attempt_.release, [&](Release& release) { release.notices.push_back(what); });
      if (hook.stop_on_failure) co_return done;
      continue;
    }
    // A one-off is the new release's own code; what else runs was there before, and what could not
    // be run, or was killed, says nothing of it.
    constexpr int killed = 128 + 9;
    bool content = hook.one_off && (late || (run.exit && *run.exit != killed));
    if (content) content = !co_await was_anything_down(begun_at);
    done.result = content ? PhaseResult::failed_by_content : PhaseResult::failed_by_world;
    Failure failure;
    failure.cls = content ? FailureClass::content : FailureClass::world;
    failure.phase = phase;
    failure.reason = what;
    failure.services.push_back(
        {hook.service.empty() ? run.name : hook.service, run.problem, run.output});
    done.failure = std::move(failure);
    co_return done;
  }
  co_return done;
}

// Whether what the hook may have worked with, such as a database, was not there all the time.
Task<bool> Executor::was_anything_down(WallTime since) {
  if (attempt_.fallback == 0) co_return false;
  const Result<Rendering> rendering = co_await rendering_of(attempt_.fallback);
  const auto containers = co_await containers_of_stack();
  if (!rendering || !containers) co_return true;
  Observed now;
  now.containers = *containers;
  const std::set<std::string> down = unwell_services(attempt_.from, *rendering, now);
  const bool newly_down = std::any_of(down.begin(), down.end(), [&](const std::string& service) {
    return !attempt_.unwell.contains(service);
  });
  co_return newly_down ||
      std::any_of(containers->begin(), containers->end(), [&](const Container& container) {
        return attempt_.from.find(container.service) != nullptr && container.started_at > since;
      });
}

Task<Result<Executor::HookEnd>> Executor::run_hook(HookSettings hook,
                                                   std::vector<std::string>* output) {
  Leftovers leftovers(hook_mark());
  Result<HookEnd> end = Error{Errc::failed, "was not run", {}};
  if (hook.service.empty()) {
    end = co_await run_program(hook, output);
  } else {
    const auto containers = co_await containers_of_stack();
    const Result<Rendering> rendering = co_await rendering_of(attempt_.release);
    if (!containers) co_return containers.error().context("failed");
    if (!rendering) co_return rendering.error().context("failed");
    const bool known = !rendering->service(hook.service).empty();
    const bool runs =
        std::any_of(containers->begin(), containers->end(),
                    [&](const Container& container) { return container.service == hook.service; });
    if (!known && (hook.one_off || !runs)) {
      co_return Error{Errc::invalid, "names a service that the release does not have", {}};
    }
    const bool any_runs =
        std::any_of(containers->begin(), containers->end(),
                    [](const Container& one) { return one.state == ContainerState::running; });
    if (hook.one_off && any_runs) {
      end = co_await run_one_off(hook, output);
    } else if (hook.one_off) {
      end = HookEnd{0, "nothing of the stack runs yet that it could work with"};
    } else {
      end = co_await run_in_service(hook, *containers, output);
    }
  }
  if (end) leftovers.none();
  co_return end;
}

Task<Result<Executor::HookEnd>> Executor::run_in_service(HookSettings hook,
                                                         std::vector<Container> containers,
                                                         std::vector<std::string>* output) {
  std::erase_if(containers, [&](const Container& one) { return one.service != hook.service; });
  if (containers.empty()) {
    co_return HookEnd{0, hook.service + " has no container yet"};
  }
  const auto running = std::find_if(containers.begin(), containers.end(), [](const Container& one) {
    return one.state == ContainerState::running;
  });
  if (running == containers.end() && attempt_.fallback == 0) {
    co_return HookEnd{0, hook.service + " does not run, and no release was good yet"};
  }
  if (running == containers.end()) {
    co_return Error{Errc::failed, "cannot be run, since " + hook.service + " does not run", {}};
  }
  ExecRequest request;
  request.container = running->id;
  request.argv = hook.run;
  request.environment = hook_environment();
  std::function<void(std::string_view)> on_line = [output](std::string_view line) {
    keep_line(output, line);
  };
  auto running_hook = parts_.docker.exec(std::move(request), std::move(on_line));
  const SteadyClock::time_point deadline = SteadyClock::now() + hook.timeout;
  const Result<int> exit = co_await with_deadline(deadline, hook.service, std::move(running_hook));
  if (exit) co_return HookEnd{*exit, {}};
  if (SteadyClock::now() < deadline) co_return exit.error().context("failed");
  co_return Error{Errc::timed_out,
                  "did not end within " + format_duration(hook.timeout) + " and was killed",
                  {}};
}

Task<Result<Executor::HookEnd>> Executor::run_one_off(HookSettings hook,
                                                      std::vector<std::string>* output) {
  RunRequest request;
  request.file = parts_.store.compose_file(attempt_.release);
  request.directory = parts_.settings.directory;
  request.project = parts_.project;
  request.service = hook.service;
  request.container = hook_container_name();
  request.argv = hook.run;
  request.environment = hook_environment();
  request.timeout = hook.timeout;
  const std::string container = request.container;
  const Result<void> there = co_await volumes_are_there(attempt_.release);
  if (!there) co_return there.error().context("was not run");
  const Result<void> free = co_await remove_ended(container);
  if (!free) co_return free.error();
  const Result<RunEnd> run = co_await parts_.compose.run_once(std::move(request));
  if (run) {
    keep_lines(output, run->output);
    // Compose that cannot reach Docker has an exit code, too.
    const Result<EngineInfo> engine = co_await parts_.docker.info();
    if (run->exit_code != 0 && !engine) co_return engine.error().context("failed");
    co_return HookEnd{run->exit_code, {}};
  }
  if (run.error().code != Errc::timed_out) co_return run.error().context("failed");
  const Result<std::string> log =
      co_await parts_.docker.last_log_lines(container, static_cast<int>(kept_lines));
  if (log) keep_lines(output, *log);
  end_marked(hook_mark());
  const Result<void> removed = co_await remove_ended(container);
  if (!removed) parts_.progress.remark(removed.error().text());
  co_return Error{Errc::timed_out,
                  "did not end within " + format_duration(hook.timeout) + " and was killed",
                  {}};
}

// A one-off that was cut off leaves its container, and with it the name; its end may take a moment.
Task<Result<void>> Executor::remove_ended(std::string container) {
  const SteadyClock::time_point patience = SteadyClock::now() + tidying_patience;
  for (;;) {
    const Result<void> removed = co_await parts_.docker.remove(container);
    if (removed) co_return removed;
    if (removed.error().code != Errc::conflict || SteadyClock::now() > patience) co_return removed;
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(200));
    if (!slept) co_return slept;
  }
}

Task<Result<Executor::HookEnd>> Executor::run_program(HookSettings hook,
                                                      std::vector<std::string>* output) {
  Command command;
  command.argv.push_back(hook.program.string());
  command.argv.insert(command.argv.end(), hook.args.begin(), hook.args.end());
  command.environment = base_environment();
  for (const auto& [name, value] : hook_environment()) command.environment[name] = value;
  command.environment["TRIMTAB_RELEASE_DIR"] =
      std::filesystem::absolute(parts_.store.release_directory(attempt_.release)).string();
  command.environment["TRIMTAB_DIRECTORY"] = parts_.settings.directory.string();
  command.directory = "/";
  command.timeout = hook.timeout;
  std::error_code ec;
  if (!std::filesystem::exists(hook.program, ec)) {
    // One that lies in the checkout comes with the first release.
    if (attempt_.fallback == 0) co_return HookEnd{0, hook.program.string() + " is not there yet"};
    co_return Error{Errc::not_found,
                    "cannot be run, since " + hook.program.string() +
                        " does not exist; one that comes with a commit is there only after it",
                    {}};
  }
  // It runs as root: whoever could change it would be root, too.
  const Result<void> trusted = check_trusted(hook.program, Privacy::open);
  if (!trusted) {
    co_return Error{trusted.error().code, "was not run: " + trusted.error().text(), {}};
  }
  const Result<Exit> exit = co_await trimtab::run(std::move(command));
  if (!exit && exit.error().code == Errc::timed_out) {
    co_return Error{Errc::timed_out,
                    "did not end within " + format_duration(hook.timeout) + " and was killed",
                    {}};
  }
  if (!exit) co_return exit.error();
  keep_lines(output, exit->out);
  keep_lines(output, exit->err);
  co_return HookEnd{exit->code, {}};
}

}  // namespace trimtab
