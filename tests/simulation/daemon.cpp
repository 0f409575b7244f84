#include "tests/simulation/daemon.hpp"

#include <vector>

#include "tests/simulation/disk.hpp"
#include "tests/simulation/hooks.hpp"

namespace trimtab::simulation {

StackSettings simulated_stack(const World& world) {
  StackSettings settings;
  settings.name = "shop";
  settings.unit = "shop.service";
  settings.directory = world.live();
  settings.git.url = "https://git.example/shop.git";
  settings.git.ref = "production";
  settings.compose = {"compose.yaml"};
  settings.keep = releases_kept;
  if (world.has_hooks) settings.hooks = simulated_hooks();
  return settings;
}

Daemon::Daemon(World& world)
    : loop_(1),
      engine_(world, loop_.get_executor()),
      compose_(world),
      registry_(world),
      deploy_lock_(loop_.get_executor()),
      engine_watcher_(
          loop_.get_executor(), engine_,
          [this](const EngineEvent& event) { stack_->on_engine_event(event); },
          [this] { stack_->on_engine_change(); }, [this] { stack_->on_engine_change(); }),
      tasks_(loop_.get_executor()),
      world_(world) {
  Result<Store> store = Store::open(loop_.get_executor(), world.state() / "shop");
  if (!store) throw std::runtime_error(store.error().text());
  if (world.systemd != nullptr) units_ = std::make_unique<SimulatedUnits>(world, *world.systemd);
  HostPaths paths;
  paths.unit_directory = world.units();
  paths.docker_socket = "/run/docker.sock";
  paths.empty_file = world.state() / "empty";
  ReconcilerDeps parts{loop_.get_executor(),
                       simulated_stack(world),
                       std::make_unique<SimulatedGit>(world),
                       registry_,
                       engine_,
                       engine_watcher_,
                       compose_,
                       units_.get(),
                       std::move(paths),
                       std::move(*store),
                       events_,
                       deploy_lock_,
                       projects_};
  stack_ = std::make_shared<Reconciler>(std::move(parts));
  tasks_.spawn("Docker's events", engine_watcher_.run());
  tasks_.spawn("shop", stack_->run());
  tasks_.spawn("shop: git", stack_->watch_git());
  tasks_.spawn("shop: images", stack_->watch_images());
}

Task<void> Daemon::answer(Task<Result<std::string>> request, Answered answered) {
  const Result<std::string> answer = co_await std::move(request);
  if (!disk::is_killed()) answered(answer);
}

void Daemon::ask(Task<Result<std::string>> request, Answered answered) {
  tasks_.spawn("an operator's request", answer(std::move(request), std::move(answered)));
}

void Daemon::kill(std::unique_ptr<Daemon> daemon) {
  daemon->world_.on_event = nullptr;
  daemon->world_.on_engine_lost = nullptr;
  if (daemon->world_.systemd != nullptr) daemon->world_.systemd->on_change = nullptr;
  daemon->world_.calls_left.reset();
  daemon->world_.is_killed = false;
  virtual_clock::forget_timers();
  // For good, so that their memory counts as held and not as leaked when the process ends.
  static auto& killed = *new std::vector<Daemon*>();
  killed.push_back(daemon.release());
}

}  // namespace trimtab::simulation
