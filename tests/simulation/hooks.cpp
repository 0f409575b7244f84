#include "tests/simulation/hooks.hpp"

#include <memory>

#include "tests/simulation/processes.hpp"

namespace trimtab::simulation {
namespace {

using namespace std::chrono_literals;

constexpr int killed = 128 + 9;

HookSettings hook(const std::string& service, const std::string& program, bool one_off) {
  HookSettings settings;
  settings.service = service;
  settings.run = {program};
  settings.one_off = one_off;
  settings.timeout = 30s;
  return settings;
}

}  // namespace

HooksSettings simulated_hooks() {
  HooksSettings hooks;
  hooks.before = {hook("db", "dump", false), hook("web", "migrate", true)};
  hooks.after = {hook("web", "warm", false), hook("db", "analyze", false)};
  return hooks;
}

Task<Result<int>> run_hook(World& world, HookCall call) {
  const std::string mark = "TRIMTAB_HOOK_OF=" + call.environment["TRIMTAB_HOOK_OF"];
  const HookNews news{call.program, call.environment["TRIMTAB_PHASE"], std::nullopt};
  if (world.on_hook) world.on_hook(news);
  const int process = processes::start(mark, call.container);
  const WorldTime takes = call.hangs ? WorldTime(2h) : world.between(10ms, 10s);
  const auto exit = std::make_shared<int>(killed);
  world.after(takes, [&world, call, process, exit] {
    if (!processes::runs(process)) return;
    *exit = call.fails ? 1 : 0;
    processes::end(process);
    world.finish(call.container, *exit);
  });
  const Result<void> waited = co_await world.answer(takes, takes);
  if (!waited) co_return waited.error();
  if (world.faults.engine_away) co_return Error{Errc::unavailable, "Docker was restarted", {}};
  if (world.on_hook) world.on_hook({news.program, news.phase, *exit});
  co_return *exit;
}

}  // namespace trimtab::simulation
