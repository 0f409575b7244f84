#include "agent/execute/hook_runner.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/model/variable_contents.hpp"
#include "common/disk_thread.hpp"
#include "common/log.hpp"
#include "common/marked_processes.hpp"
#include "common/process.hpp"
#include "common/random.hpp"
#include "common/task_scope.hpp"
#include "common/trusted_file.hpp"

namespace trimtab {
namespace {

constexpr const char* hook_mark_name = "TRIMTAB_HOOK_OF";
constexpr std::size_t kept_lines = 100;
constexpr std::size_t max_line = 500;
constexpr auto tidying_timeout = std::chrono::seconds(30);

std::string container_of(const StackSettings& settings) {
  return fmt::format("trimtab.{}.hook", settings.name);
}

Error late(const HookSettings& hook) {
  return Error{
      Errc::timed_out,
      fmt::format("did not finish within {} and was killed", format_duration(hook.timeout)),
      {}};
}

void keep_line(std::vector<std::string>* output, std::string_view line) {
  std::string shown = printable(line.substr(0, max_line));
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  if (output->size() == kept_lines) output->erase(output->begin());
  output->push_back(std::move(shown));
}

void keep_lines(std::vector<std::string>* output, std::string_view text) {
  for (const std::string& line : split(text, '\n')) {
    if (!line.empty()) keep_line(output, line);
  }
}

// Kills the hook's processes by their mark, which requires scanning all processes of the host. The
// Engine cannot kill a command in a container, and the container survives Compose.
Task<void> end_processes(std::string mark) {
  const auto end = [&mark] { return kill_by_environment(mark); };
  co_await on_disk_thread(end);
}

// Kills the processes of a hook that did not exit by itself.
Task<void> end_leftovers(const Result<HookEnd>* end, std::string mark) {
  if (*end) co_return;
  co_await end_processes(std::move(mark));
}

}  // namespace

std::string name_of(const HookSettings& hook) {
  const std::string program = hook.service.empty() ? hook.program.string() : hook.run.front();
  const std::string base = program.substr(program.rfind('/') + 1);
  return hook.service.empty() ? base : hook.service + ": " + base;
}

std::string new_hook_mark(const Store& store) {
  return fmt::format("{}={}:{}", hook_mark_name, store.directory().string(), random_bits());
}

Task<void> end_hook(Docker& docker, const StackSettings& settings, std::string mark) {
  if (!mark.empty()) co_await end_processes(mark);
  const Result<void> removed = co_await docker.remove(container_of(settings));
  if (!removed) spdlog::debug("{}: {}", settings.name, removed.error().text());
}

std::map<std::string, std::string> HookRunner::environment() const {
  std::map<std::string, std::string> environment;
  environment["TRIMTAB_STACK"] = deps_.settings.name;
  environment["TRIMTAB_RELEASE"] = std::to_string(deployment_.release);
  environment["TRIMTAB_COMMIT"] = deps_.store.find(deployment_.release)->commit;
  environment["TRIMTAB_PREVIOUS_RELEASE"] =
      deployment_.fallback == 0 ? std::string() : std::to_string(deployment_.fallback);
  environment["TRIMTAB_PHASE"] = to_string(deployment_.phase);
  environment[hook_mark_name] = deployment_.hook_mark.substr(deployment_.hook_mark.find('=') + 1);
  return environment;
}

Task<Result<HookEnd>> HookRunner::run(HookSettings hook, std::vector<std::string>* output) {
  Result<HookEnd> end = Error{Errc::failed, "was not run", {}};
  auto work = hook.service.empty() ? run_program(hook, output) : run_for_service(hook, output);
  auto body = store_result(std::move(work), &end);
  const std::function<Task<void>()> cleanup = [this, &end] {
    return end_leftovers(&end, deployment_.hook_mark);
  };
  auto whole = with_cleanup(std::move(body), cleanup);
  co_await std::move(whole);
  co_return end;
}

Task<Result<HookEnd>> HookRunner::run_for_service(HookSettings hook,
                                                  std::vector<std::string>* output) {
  const auto present = co_await deps_.stack.containers();
  const Result<Rendering> rendering = co_await deps_.stack.rendering(deployment_.release);
  if (!present) co_return present.error().context("failed");
  if (!rendering) co_return rendering.error().context("failed");
  const bool known = !rendering->service(hook.service).empty();
  const bool is_there = std::any_of(present->begin(), present->end(), [&](const Container& one) {
    return one.service == hook.service;
  });
  if (!known && (hook.one_off || !is_there)) {
    co_return Error{Errc::invalid, "names a service that the release does not have", {}};
  }
  if (!hook.one_off) co_return co_await run_inside(hook, *present, output);
  const bool any_runs = std::any_of(present->begin(), present->end(), [](const Container& one) {
    return one.state == ContainerState::running;
  });
  if (any_runs) co_return co_await run_one_off(hook, output);
  co_return HookEnd{0, "nothing of the stack is running yet"};
}

Task<Result<HookEnd>> HookRunner::run_inside(HookSettings hook, std::vector<Container> present,
                                             std::vector<std::string>* output) {
  std::erase_if(present, [&](const Container& one) { return one.service != hook.service; });
  if (present.empty()) {
    co_return HookEnd{0, hook.service + " has no container yet"};
  }
  const auto running = std::find_if(present.begin(), present.end(), [](const Container& one) {
    return one.state == ContainerState::running;
  });
  if (running == present.end() && deployment_.fallback == 0) {
    co_return HookEnd{0, hook.service + " is not running, and no release has been good yet"};
  }
  if (running == present.end()) {
    co_return Error{
        Errc::failed, fmt::format("cannot be run: {} is not running", hook.service), {}};
  }
  ExecRequest request;
  request.container = running->id;
  request.argv = hook.run;
  request.environment = environment();
  std::function<void(std::string_view)> on_line = [output](std::string_view line) {
    keep_line(output, line);
  };
  auto running_hook = deps_.docker.exec(std::move(request), std::move(on_line));
  const SteadyClock::time_point deadline = SteadyClock::now() + hook.timeout;
  const Result<int> exit = co_await with_deadline(deadline, hook.service, std::move(running_hook));
  if (exit) co_return HookEnd{*exit, {}};
  if (SteadyClock::now() < deadline) co_return exit.error().context("failed");
  co_return late(hook);
}

Task<Result<HookEnd>> HookRunner::run_one_off(HookSettings hook, std::vector<std::string>* output) {
  RunRequest request;
  request.file = deps_.store.compose_file(deployment_.release);
  request.directory = deps_.settings.directory;
  request.project = deps_.project;
  request.service = hook.service;
  request.container = container_of(deps_.settings);
  request.argv = hook.run;
  request.environment = environment();
  request.timeout = hook.timeout;
  const Result<Rendering> rendering = co_await deps_.stack.rendering(deployment_.release);
  if (!rendering) co_return rendering.error();
  request.variables = kept_values(rendering->model);
  const std::string container = request.container;
  const Result<void> there = co_await deps_.stack.volumes_are_there(deployment_.release);
  if (!there) co_return there.error().context("was not run");
  const Result<void> free = co_await remove_ended(container);
  if (!free) co_return free.error();
  const Result<RunEnd> run = co_await deps_.compose.run_once(std::move(request));
  if (run) {
    keep_lines(output, run->output);
    // Compose exits with a code of its own if it cannot reach Docker.
    const Result<EngineInfo> engine = co_await deps_.docker.info();
    if (run->exit_code != 0 && !engine) co_return engine.error().context("failed");
    co_return HookEnd{run->exit_code, {}};
  }
  if (run.error().code != Errc::timed_out) co_return run.error().context("failed");
  const Result<std::string> log =
      co_await deps_.docker.last_log_lines(container, static_cast<int>(kept_lines));
  if (log) keep_lines(output, *log);
  co_await end_processes(deployment_.hook_mark);
  const Result<void> removed = co_await remove_ended(container);
  if (!removed) deps_.progress.note(removed.error().text());
  co_return late(hook);
}

// An interrupted one-off leaves its container, which still has the name and may take a moment to
// exit.
Task<Result<void>> HookRunner::remove_ended(std::string container) {
  const SteadyClock::time_point timeout = SteadyClock::now() + tidying_timeout;
  for (;;) {
    const Result<void> removed = co_await deps_.docker.remove(container);
    if (removed) co_return removed;
    if (removed.error().code != Errc::conflict || SteadyClock::now() > timeout) co_return removed;
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(200));
    if (!slept) co_return slept;
  }
}

Task<Result<HookEnd>> HookRunner::run_program(HookSettings hook, std::vector<std::string>* output) {
  Command command;
  command.argv.push_back(hook.program.string());
  command.argv.insert(command.argv.end(), hook.args.begin(), hook.args.end());
  command.environment = minimal_environment();
  for (const auto& [name, value] : environment()) command.environment[name] = value;
  command.environment["TRIMTAB_RELEASE_DIR"] =
      std::filesystem::absolute(deps_.store.release_directory(deployment_.release)).string();
  command.environment["TRIMTAB_DIRECTORY"] = deps_.settings.directory.string();
  command.directory = "/";
  command.timeout = hook.timeout;
  std::error_code ec;
  if (!std::filesystem::exists(hook.program, ec)) {
    // A program in the checkout only exists after the first release.
    if (deployment_.fallback == 0)
      co_return HookEnd{0, hook.program.string() + " does not exist yet"};
    co_return Error{Errc::not_found,
                    fmt::format("cannot be run: {} does not exist; a program from a commit only "
                                "exists after that commit was deployed",
                                hook.program.string()),
                    {}};
  }
  // It runs as root, so whoever can change it could become root.
  const Result<void> trusted = check_trusted(hook.program, Privacy::open);
  if (!trusted) {
    co_return Error{trusted.error().code, "was not run: " + trusted.error().text(), {}};
  }
  const Result<Exit> exit = co_await trimtab::run(std::move(command));
  if (!exit && exit.error().code == Errc::timed_out) co_return late(hook);
  if (!exit) co_return exit.error();
  keep_lines(output, exit->out);
  keep_lines(output, exit->err);
  co_return HookEnd{exit->code, {}};
}

}  // namespace trimtab
