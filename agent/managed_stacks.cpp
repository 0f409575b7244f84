#include "agent/managed_stacks.hpp"

#include <algorithm>

#include "agent/config/load.hpp"
#include "agent/git/git_program.hpp"
#include "agent/sources/backoff.hpp"
#include "common/disk_thread.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

// The first retry of an unavailable stack; later ones back off.
constexpr std::chrono::milliseconds first_retry = std::chrono::seconds(5);

// Makes the file that is passed to Compose instead of a .env file that must not be read.
Result<void> make_empty_file(const fs::path& path) {
  const Result<std::string> text = read_file(path);
  if (text && text->empty()) return {};
  return write_file_durably(path, "");
}

// Waits until none of the stacks is in a phase that must not be cut.
Task<void> wait_until_interruptible(std::vector<std::shared_ptr<Reconciler>> stacks,
                                    const bool* impatient) {
  const SteadyClock::time_point deadline = SteadyClock::now() + ManagedStacks::stop_timeout;
  const auto interruptible = [&stacks] {
    return std::all_of(stacks.begin(), stacks.end(),
                       [](const auto& stack) { return stack->may_be_interrupted(); });
  };
  while (!interruptible() && !*impatient && SteadyClock::now() < deadline) {
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(50));
    if (!slept) break;
  }
}

}  // namespace

ManagedStacks::ManagedStacks(asio::any_io_executor executor, fs::path state_directory,
                             HostServices& host, const DaemonSettings& daemon)
    : executor_(executor),
      state_directory_(std::move(state_directory)),
      host_(host),
      daemon_(daemon),
      deploy_lock_(executor),
      changes_(executor) {}

// A project named in settings belongs to that stack before any commit can claim it, also while the
// stack is unavailable.
void ManagedStacks::claim_project(const StackSettings& settings) {
  if (!settings.project.empty()) projects_.claim(settings.project, settings.name);
}

Task<void> ManagedStacks::add(std::vector<StackSettings> settings) {
  for (const StackSettings& stack : settings) claim_project(stack);
  for (const StackSettings& stack : settings) co_await add_or_retry(stack);
}

Task<void> ManagedStacks::add_or_retry(StackSettings settings) {
  const std::string& name = settings.name;
  Result<Store> store = co_await open_store(name);
  // A stop has already counted the stacks that it waits for.
  if (stopping_) co_return;
  if (store) {
    create(settings, std::move(*store));
    unavailable_.erase(name);
    retries_.erase(name);
    if (started_) start(stacks_[name]);
    co_return;
  }
  const auto before = unavailable_.find(name);
  if (before == unavailable_.end() || before->second.error.message != store.error().message) {
    spdlog::error("{}", store.error().context(name).text());
  }
  UnavailableStack stack{settings, store.error(), "the stack is left alone until then"};
  if (!daemon_error_) {
    Retry& retry = retries_[name];
    const auto wait = next_interval(first_retry, retry.tries++, random_jitter());
    retry.at = SteadyClock::now() + wait;
    stack.next = "retried in " + human_duration(wait);
  }
  unavailable_[name] = std::move(stack);
}

Task<void> ManagedStacks::retry_unavailable() {
  for (;;) {
    const Result<void> slept = co_await sleep_for(first_retry / 2);
    if (!slept) co_return;
    const AsyncMutex::Guard changing = co_await changes_.lock();
    const std::map<std::string, Retry> retries = retries_;
    for (const auto& [name, retry] : retries) {
      if (stopping_ || SteadyClock::now() < retry.at) continue;
      co_await add_or_retry(unavailable_.at(name).settings);
    }
  }
}

Task<Result<Store>> ManagedStacks::open_store(std::string name) {
  if (daemon_error_) co_return *daemon_error_;
  const auto open = [&]() -> Result<Store> {
    if (auto made = make_empty_file(state_directory_ / "empty"); !made) return made.error();
    return Store::open(executor_, state_directory_ / name);
  };
  co_return co_await on_disk_thread(open);
}

void ManagedStacks::create(const StackSettings& settings, Store store) {
  GitAccess access;
  access.url = settings.git.url;
  access.key = settings.git.key;
  access.known_hosts = settings.git.known_hosts;
  access.token_file = settings.git.token_file;
  access.ca_file = settings.git.ca_file;
  access.proxies = proxies_of(daemon_);
  HostPaths paths;
  paths.docker_socket = daemon_.docker.socket;
  paths.empty_file = fs::absolute(state_directory_ / "empty");
  ReconcilerDeps deps{
      executor_,
      settings,
      std::make_unique<GitProgram>(access, settings.git.ref,
                                   Workspace::repository_in(store.directory()), store.directory()),
      host_.registry(),
      host_.docker(),
      host_.engine(),
      host_.compose(),
      host_.units(),
      std::move(paths),
      std::move(store),
      events_,
      deploy_lock_,
      projects_};
  Stack& stack = stacks_[settings.name];
  stack.settings = settings;
  stack.reconciler = std::make_shared<Reconciler>(std::move(deps));
  stack.tasks = std::make_unique<TaskGroup>(executor_);
  reconcilers_[settings.name] = stack.reconciler;
}

void ManagedStacks::start() {
  started_ = true;
  for (auto& [name, stack] : stacks_) start(stack);
}

void ManagedStacks::start(Stack& stack) {
  const std::string& name = stack.settings.name;
  stack.tasks->spawn(name, stack.reconciler->run());
  stack.tasks->spawn(name + ": git", stack.reconciler->watch_git());
  stack.tasks->spawn(name + ": images", stack.reconciler->watch_images());
}

void ManagedStacks::on_engine_event(const EngineEvent& event) {
  for (const auto& [name, stack] : reconcilers_) stack->on_engine_event(event);
}

void ManagedStacks::on_engine_change() {
  for (const auto& [name, stack] : reconcilers_) stack->on_engine_change();
}

Task<void> ManagedStacks::update(std::vector<StackSettings> settings, std::set<std::string> broken,
                                 bool restart_all) {
  const AsyncMutex::Guard changing = co_await changes_.lock();
  std::map<std::string, StackSettings> wanted;
  for (const StackSettings& stack : settings) wanted[stack.name] = stack;
  for (auto entry = unavailable_.begin(); entry != unavailable_.end();) {
    const auto& [name, stack] = *entry;
    if (broken.contains(name)) wanted[name] = stack.settings;
    if (!wanted.contains(name)) projects_.release(name);
    entry = wanted.contains(name) ? std::next(entry) : unavailable_.erase(entry);
  }
  std::erase_if(retries_,
                [this](const auto& retry) { return !unavailable_.contains(retry.first); });
  std::vector<std::string> outgoing;
  for (const auto& [name, stack] : stacks_) {
    if (broken.contains(name)) {
      wanted[name] = stack.settings;
    } else if (!wanted.contains(name) || restart_all || !(wanted[name] == stack.settings)) {
      outgoing.push_back(name);
    }
  }
  for (const std::string& name : outgoing) {
    co_await remove(name);
    spdlog::info("{}: {}", name,
                 wanted.contains(name) ? "its settings changed"
                                       : "no longer configured; its containers are left running");
  }
  // A stop has already counted the stacks that it waits for.
  if (stopping_) co_return;
  for (const auto& [name, stack] : wanted) {
    if (!stacks_.contains(name)) claim_project(stack);
  }
  for (const auto& [name, stack] : wanted) {
    if (!stacks_.contains(name)) co_await add_or_retry(stack);
  }
  spdlog::info("configuration reloaded: {} {}", stacks_.size(),
               stacks_.size() == 1 ? "stack" : "stacks");
}

Task<void> ManagedStacks::remove(std::string name) {
  Stack& stack = stacks_[name];
  stack.reconciler->request_stop();
  std::vector<std::shared_ptr<Reconciler>> one{stack.reconciler};
  const bool impatient = false;
  co_await wait_until_interruptible(std::move(one), &impatient);
  stack.tasks->cancel();
  co_await stack.tasks->idle();
  projects_.release(name);
  reconcilers_.erase(name);
  stacks_.erase(name);
}

Task<void> ManagedStacks::finish(const bool* impatient) {
  stopping_ = true;
  std::vector<std::shared_ptr<Reconciler>> all;
  for (const auto& [name, stack] : reconcilers_) {
    stack->request_stop();
    all.push_back(stack);
  }
  co_await wait_until_interruptible(std::move(all), impatient);
}

void ManagedStacks::cancel() {
  for (auto& [name, stack] : stacks_) stack.tasks->cancel();
}

Task<void> ManagedStacks::idle() {
  for (auto& [name, stack] : stacks_) co_await stack.tasks->idle();
}

}  // namespace trimtab
