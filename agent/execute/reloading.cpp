#include "agent/execute/reloading.hpp"

#include <algorithm>

#include "agent/model/service.hpp"

namespace trimtab {
namespace {

constexpr auto check_patience = std::chrono::seconds(30);
constexpr std::size_t most_lines = 20;

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
  std::string words = service + " does not take its files: `" + join(reload.check, " ") +
                      "` exited with " + std::to_string(exit_code);
  if (!output.empty()) words += ": " + output;
  return Error{Errc::invalid, std::move(words), "correct what it names"};
}

Task<Result<void>> reload_container(Docker& docker, Container container, Reload reload) {
  if (!reload.check.empty()) {
    std::vector<std::string> lines;
    std::function<void(std::string_view)> on_line = [&lines](std::string_view line) {
      lines.push_back(printable(line));
      if (lines.size() > most_lines) lines.erase(lines.begin());
    };
    ExecRequest request;
    request.container = container.id;
    request.argv = reload.check;
    std::string what = container.service + ": " + join(reload.check, " ");
    auto checking = docker.exec(std::move(request), std::move(on_line));
    const Result<int> exit = co_await with_deadline(SteadyClock::now() + check_patience,
                                                    std::move(what), std::move(checking));
    if (!exit) co_return exit.error();
    if (*exit != 0) co_return check_error(container.service, reload, *exit, join(lines, "\n"));
  }
  co_return co_await docker.signal(container.id, reload.signal);
}

}  // namespace trimtab
