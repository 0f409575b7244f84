#include "agent/execute/reloading.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "agent/model/service.hpp"

namespace trimtab {
namespace {

constexpr auto timeout = std::chrono::seconds(30);
constexpr std::size_t max_lines = 20;

// Returns the command's exit code; its last lines are appended to `lines`.
Task<Result<int>> run_inside(Docker& docker, Container container, std::vector<std::string> argv,
                             std::vector<std::string>* lines) {
  std::function<void(std::string_view)> on_line = [lines](std::string_view line) {
    lines->push_back(printable(line));
    if (lines->size() > max_lines) lines->erase(lines->begin());
  };
  std::string what = container.service + ": " + join(argv, " ");
  ExecRequest request;
  request.container = container.id;
  request.argv = std::move(argv);
  auto running = docker.exec(std::move(request), std::move(on_line));
  const SteadyClock::time_point deadline = SteadyClock::now() + timeout;
  const Result<int> exit = co_await with_deadline(deadline, std::move(what), std::move(running));
  co_return exit;
}

}  // namespace

std::vector<Proxy> proxies_of(const Rendering& rendering, const std::vector<Container>& containers,
                              const std::string& service) {
  std::vector<Proxy> proxies;
  for (const Container& container : containers) {
    if (container.state != ContainerState::running || container.service == service) continue;
    const Json& definition = rendering.service(container.service);
    const std::vector<std::string> needs = dependencies_of(definition);
    if (std::find(needs.begin(), needs.end(), service) == needs.end()) continue;
    if (auto reload = reload_of(definition)) proxies.push_back({container, std::move(*reload)});
  }
  return proxies;
}

Error check_error(const std::string& service, const Reload& reload, int exit_code,
                  const std::string& output) {
  std::string words = fmt::format("{} rejects its new files: `{}` exited with {}", service,
                                  join(reload.check, " "), exit_code);
  if (!output.empty()) words += ": " + output;
  return Error{Errc::invalid, std::move(words), "correct the files that it names"};
}

Task<Result<void>> reload_container(Docker& docker, Container container, Reload reload) {
  std::vector<std::string> lines;
  if (!reload.check.empty()) {
    const Result<int> exit = co_await run_inside(docker, container, reload.check, &lines);
    if (!exit) co_return exit.error();
    if (*exit != 0) co_return check_error(container.service, reload, *exit, join(lines, "\n"));
  }
  if (!reload.command.empty()) {
    const Result<int> exit = co_await run_inside(docker, container, reload.command, &lines);
    if (!exit) co_return exit.error();
    if (*exit == 0) co_return Result<void>();
  }
  co_return co_await docker.signal(container.id, reload.signal);
}

}  // namespace trimtab
