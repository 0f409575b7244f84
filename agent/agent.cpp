#include "agent/agent.hpp"

#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <set>

#include "agent/api/api.hpp"
#include "agent/api/stack_json.hpp"
#include "agent/compose/compose_program.hpp"
#include "agent/config/load.hpp"
#include "agent/docker/docker_engine.hpp"
#include "agent/git/git_program.hpp"
#include "agent/notify/service_manager.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "agent/registry/registry_client.hpp"
#include "agent/sources/backoff.hpp"
#include "agent/units/systemd_units.hpp"
#include "common/failpoint.hpp"
#include "common/files.hpp"
#include "common/http_server.hpp"
#include "common/log.hpp"
#include "common/memory.hpp"
#include "common/process.hpp"
#include "common/standstill.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr int exit_failed = 1;
constexpr int exit_configuration = 2;

// A phase that must not be cut is given this long when the daemon is to stop.
constexpr auto stop_timeout = std::chrono::seconds(80);

constexpr auto memory_interval = std::chrono::seconds(30);

// How soon a stack that could not be taken up is tried again; later each time.
constexpr std::chrono::milliseconds first_retry = std::chrono::seconds(5);

// How often `systemctl status` is told how things are.
constexpr auto status_interval = std::chrono::seconds(10);

// Root, the daemon's own user, and members of the group.
bool may_use_socket(const http::Peer& peer, const std::string& group_name) {
  if (peer.uid == 0 || peer.uid == ::geteuid()) return true;
  const ::group* const group = ::getgrnam(group_name.c_str());
  if (group == nullptr) return false;
  if (peer.gid == group->gr_gid) return true;
  const ::passwd* const user = ::getpwuid(peer.uid);
  if (user == nullptr) return false;
  std::vector<gid_t> groups;
  int count = 0;
  // Says how many there are where there is no room for them.
  while (::getgrouplist(user->pw_name, user->pw_gid, groups.data(), &count) < 0) {
    if (count <= static_cast<int>(groups.size())) return false;
    groups.resize(static_cast<std::size_t>(count));
  }
  groups.resize(static_cast<std::size_t>(count));
  return std::find(groups.begin(), groups.end(), group->gr_gid) != groups.end();
}

// The first mistake in trimtab.yaml, with its place.
std::optional<Error> error_of_daemon(const LoadResult& loaded) {
  for (const Finding& finding : loaded.findings) {
    if (finding.severity != Severity::error || finding.file.filename() != "trimtab.yaml") continue;
    return Error{Errc::invalid, to_string(finding),
                 "correct it, as `trimtab check` shows, then `systemctl reload trimtabd`"};
  }
  return std::nullopt;
}

// Given to Compose in place of a .env file that must not be read.
Result<void> make_empty_file(const fs::path& path) {
  const Result<std::string> text = read_file(path);
  if (text && text->empty()) return {};
  return write_file_durably(path, "");
}

Task<void> release_memory_at_times() {
  for (;;) {
    const Result<void> slept = co_await sleep_for(memory_interval);
    if (!slept) co_return;
    release_unused_memory();
  }
}

// A stack that is kept, and what runs for it.
struct KeptStack {
  StackSettings settings;
  std::shared_ptr<Reconciler> reconciler;
  std::unique_ptr<TaskGroup> tasks;
};

// When a stack that could not be taken up is tried again.
struct Retry {
  SteadyClock::time_point at;
  int tries = 0;
};

class Agent {
 public:
  Agent(AgentOptions options, asio::any_io_executor executor)
      : options_(std::move(options)),
        executor_(executor),
        deploy_lock_(executor),
        watchers_(executor),
        signals_(executor, SIGTERM, SIGINT),
        reload_signal_(executor, SIGHUP) {}

  // Reads configuration and state and takes the lock; nothing is asked of anybody yet.
  Result<void> prepare();
  Task<void> run();
  [[nodiscard]] int exit_code() const { return exit_code_; }

 private:
  void take_findings(const LoadResult& loaded);
  void build_parts();
  Task<Result<void>> may_use_docker();
  Result<void> listen();
  Task<void> take_up_webhook(DaemonSettings::Webhook settings);
  void claim_project(const StackSettings& settings);
  void take_up(const StackSettings& settings);
  Task<void> retry_stacks();
  Result<void> add_stack(const StackSettings& settings);
  void start_stack(KeptStack& stack);
  Task<void> remove_stack(std::string name);
  Task<void> start_stacks();
  Task<void> follow_reload_signal();
  Task<void> reload();
  Task<void> tell_service_manager();
  [[nodiscard]] std::string status_line() const;
  // "shop: its reconciliation"; "" where nothing hangs.
  [[nodiscard]] std::string stalled_part() const;
  void fail(const Error& error);
  Task<void> stop();
  Task<void> stop_when_safe(std::vector<std::shared_ptr<Reconciler>> stacks, bool heed_signals);

  AgentOptions options_;
  asio::any_io_executor executor_;
  LoadResult config_;
  std::vector<std::string> problems_;
  UniqueFd lock_;
  std::unique_ptr<Units> units_;
  std::unique_ptr<DockerEngine> docker_;
  std::unique_ptr<RegistryClient> registry_;
  std::unique_ptr<ComposeProgram> compose_;
  std::unique_ptr<EngineWatcher> engine_;
  EventBus events_;
  AsyncMutex deploy_lock_;
  Projects projects_;  // outlives the stacks
  std::map<std::string, KeptStack> kept_;
  Api::Stacks stacks_;
  UnavailableStacks unavailable_;
  std::map<std::string, Retry> retries_;  // of those that are unavailable, by name
  // Why no stack is taken up: trimtab.yaml cannot be read, and none runs on by settings that nobody
  // has written.
  std::optional<Error> daemon_error_;
  std::unique_ptr<Webhook> webhook_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<http::Server> server_;
  bool docker_is_active_ = false;  // as far as systemd has told
  bool stacks_started_ = false;
  bool owns_socket_ = false;
  TaskGroup watchers_;
  asio::signal_set signals_;
  asio::signal_set reload_signal_;
  bool stopping_ = false;
  int exit_code_ = 0;
};

void Agent::take_findings(const LoadResult& loaded) {
  problems_.clear();
  for (const Finding& finding : loaded.findings) {
    problems_.push_back(to_string(finding));
    if (finding.severity == Severity::error) {
      spdlog::error("{}", problems_.back());
    } else {
      spdlog::warn("{}", problems_.back());
    }
  }
}

Result<void> Agent::prepare() {
  config_ = load_config(options_.config_dir);
  if (auto log = set_up_log(config_.daemon.log.level); !log) return log;
  take_findings(config_);
  if (!config_.ok() && config_.stacks.empty()) {
    return Error{Errc::invalid, "the configuration has errors and no stack without one",
                 "`trimtab check` shows them"};
  }
  if (auto made = make_private_directory(options_.state_dir); !made) return made;
  // The directory itself: a disk without space has none for a file to lock.
  Result<UniqueFd> lock = lock_file(options_.state_dir);
  if (!lock) {
    if (lock.error().code != Errc::conflict) return lock.error();
    return Error{Errc::conflict, "another trimtabd runs with " + options_.state_dir.string(),
                 "stop it first, or give this one a --state-dir of its own"};
  }
  lock_ = std::move(*lock);
  const int orphans = end_orphans(fs::absolute(options_.state_dir).string());
  if (orphans > 0) {
    spdlog::warn("ended {} {} that an earlier trimtabd had left when it was killed", orphans,
                 orphans == 1 ? "program" : "programs");
  }
  daemon_error_ = error_of_daemon(config_);
  return {};
}

// Connecting to the socket of a Docker that an operator stopped would start it again.
Task<Result<void>> Agent::may_use_docker() {
  if (docker_is_active_) co_return Result<void>();
  const Result<UnitState> state = co_await units_->state(docker_unit);
  // Unknown, which may be stopped.
  if (!state) co_return state.error();
  if (state->load != "loaded") co_return Result<void>();
  docker_is_active_ = state->active == "active";
  const bool down = state->active == "inactive" || state->active == "failed";
  const bool stopped = state->active == "deactivating" || (down && !state->has_job);
  if (!stopped) co_return Result<void>();
  co_return Error{Errc::unavailable, "Docker is stopped (docker.service is " + state->active + ")",
                  "`systemctl start docker` starts it"};
}

void Agent::build_parts() {
  const fs::path& socket = config_.daemon.docker.socket;
  DockerEngine::MayConnect may_connect;
  if (options_.systemd) {
    units_ = std::make_unique<SystemdUnits>(executor_, *options_.systemd);
    const bool socket_of_service = socket == "/run/docker.sock" || socket == "/var/run/docker.sock";
    if (socket_of_service) {
      may_connect = [this] { return may_use_docker(); };
    }
  } else {
    spdlog::info("systemd does not run here: no unit boots the stacks");
  }
  docker_ = std::make_unique<DockerEngine>(socket.string(), std::move(may_connect));
  registry_ = std::make_unique<RegistryClient>(
      RegistryClientOptions{config_.daemon.docker.config, "/etc/docker/certs.d",
                            config_.daemon.registries, proxies_of(config_.daemon)});
  compose_ = std::make_unique<ComposeProgram>(socket.string(), options_.state_dir / "empty");
  const auto look_anew = [this] {
    for (const auto& [name, stack] : stacks_) stack->on_engine_change();
  };
  engine_ = std::make_unique<EngineWatcher>(
      executor_, *docker_,
      [this](const EngineEvent& event) {
        for (const auto& [name, stack] : stacks_) stack->on_engine_event(event);
      },
      look_anew, look_anew);
  if (units_) {
    units_->watch(docker_unit, [this](const std::string& active) {
      docker_is_active_ = active == "active";
      if (docker_is_active_) engine_->poll_now();
    });
  }
}

// A project that settings name is a stack's before any commit can say otherwise, also while the
// stack cannot be taken up.
void Agent::claim_project(const StackSettings& settings) {
  if (!settings.project.empty()) projects_.claim(settings.project, settings.name);
}

// One that cannot be taken up keeps no other from its work.
void Agent::take_up(const StackSettings& settings) {
  const std::string& name = settings.name;
  const Result<void> added = daemon_error_ ? Result<void>(*daemon_error_) : add_stack(settings);
  if (added) {
    unavailable_.erase(name);
    retries_.erase(name);
    if (stacks_started_) start_stack(kept_[name]);
    return;
  }
  const auto before = unavailable_.find(name);
  if (before == unavailable_.end() || before->second.error.message != added.error().message) {
    spdlog::error("{}", added.error().context(name).text());
  }
  UnavailableStack stack{settings, added.error(), "nothing is done to it until then"};
  if (!daemon_error_) {
    Retry& retry = retries_[name];
    const auto wait = next_interval(first_retry, retry.tries++, random_jitter());
    retry.at = SteadyClock::now() + wait;
    stack.next = "tried again in " + human_duration(wait);
  }
  unavailable_[name] = std::move(stack);
}

Task<void> Agent::retry_stacks() {
  for (;;) {
    const Result<void> slept = co_await sleep_for(first_retry / 2);
    if (!slept) co_return;
    const std::map<std::string, Retry> retries = retries_;
    for (const auto& [name, retry] : retries) {
      if (stopping_ || SteadyClock::now() < retry.at) continue;
      const StackSettings settings = unavailable_.at(name).settings;
      take_up(settings);
    }
  }
}

Result<void> Agent::add_stack(const StackSettings& settings) {
  if (auto made = make_empty_file(options_.state_dir / "empty"); !made) return made;
  Result<Store> store = Store::open(executor_, options_.state_dir / settings.name);
  if (!store) return store.error();
  GitAccess access;
  access.url = settings.git.url;
  access.key = settings.git.key;
  access.known_hosts = settings.git.known_hosts;
  access.token_file = settings.git.token_file;
  access.ca_file = settings.git.ca_file;
  access.proxies = proxies_of(config_.daemon);
  HostPaths paths;
  paths.docker_socket = config_.daemon.docker.socket;
  paths.empty_file = fs::absolute(options_.state_dir / "empty");
  ReconcilerDeps parts{executor_,
                       settings,
                       std::make_unique<GitProgram>(access, settings.git.ref, store->repository(),
                                                    store->directory()),
                       *registry_,
                       *docker_,
                       *engine_,
                       *compose_,
                       units_.get(),
                       std::move(paths),
                       std::move(*store),
                       events_,
                       deploy_lock_,
                       projects_};
  KeptStack& stack = kept_[settings.name];
  stack.settings = settings;
  stack.reconciler = std::make_shared<Reconciler>(std::move(parts));
  stack.tasks = std::make_unique<TaskGroup>(executor_);
  stacks_[settings.name] = stack.reconciler;
  return {};
}

void Agent::start_stack(KeptStack& stack) {
  const std::string& name = stack.settings.name;
  stack.tasks->spawn(name, stack.reconciler->run());
  stack.tasks->spawn(name + ": git", stack.reconciler->watch_git());
  stack.tasks->spawn(name + ": images", stack.reconciler->watch_images());
}

Result<void> Agent::listen() {
  Result<UniqueFd> listener = UniqueFd();
  if (std::optional<UniqueFd> inherited = service_manager::inherited_socket()) {
    listener = std::move(*inherited);
  } else {
    std::error_code ec;
    fs::create_directories(options_.socket.parent_path(), ec);
    listener = http::listen_unix(options_.socket.string(), 0660, config_.daemon.socket.group);
    owns_socket_ = true;
  }
  if (!listener) return listener.error();
  api_ = std::make_unique<Api>(executor_, stacks_, unavailable_, *docker_, *engine_, *compose_,
                               events_, problems_, webhook_, [this] { return stalled_part(); });
  server_ = std::make_unique<http::Server>(
      executor_, std::move(*listener), http::ServerLimits{},
      [group = config_.daemon.socket.group](const http::Peer& peer) {
        return may_use_socket(peer, group);
      },
      [this](http::Request request, http::Peer peer) {
        return api_->handle(std::move(request), peer);
      });
  return {};
}

// A webhook that cannot listen keeps nothing from its work: it is a faster way to what the
// intervals do anyway.
Task<void> Agent::take_up_webhook(DaemonSettings::Webhook settings) {
  if (webhook_ && webhook_->settings() == settings) co_return;
  if (webhook_) {
    co_await webhook_->stop();
    webhook_.reset();
  }
  if (settings.listen.empty()) co_return;
  Webhook::Stacks stacks;
  stacks.names = [this] {
    std::vector<std::string> names;
    for (const auto& [name, stack] : stacks_) names.push_back(name);
    return names;
  };
  stacks.poll_now = [this](const std::string& name) {
    const auto found = stacks_.find(name);
    if (found != stacks_.end()) found->second->poll_now();
  };
  webhook_ = std::make_unique<Webhook>(executor_, std::move(settings), std::move(stacks));
  webhook_->start();
}

void Agent::fail(const Error& error) {
  spdlog::critical("{}", error.text());
  exit_code_ = exit_failed;
}

Task<void> Agent::run() {
  build_parts();
  for (const StackSettings& settings : config_.stacks) claim_project(settings);
  for (const StackSettings& settings : config_.stacks) take_up(settings);
  if (const Result<void> listening = listen(); !listening) {
    fail(listening.error());
    co_return;
  }
  co_await take_up_webhook(config_.daemon.webhook);
  watchers_.spawn("status socket", server_->run());
  watchers_.spawn("Docker's events", engine_->run());
  watchers_.spawn("memory", release_memory_at_times());
  watchers_.spawn("reload", follow_reload_signal());
  watchers_.spawn("service manager", tell_service_manager());
  watchers_.spawn("start of the stacks", start_stacks());
  watchers_.spawn("stacks that are unavailable", retry_stacks());
  boost::system::error_code ec;
  co_await signals_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  spdlog::info("stopping");
  service_manager::tell_stopping();
  co_await stop();
}

// Asking which Compose is here takes longer than all else at a start, and nobody need wait for it
// to be told how things are. Stacks that it is not there for ask again.
Task<void> Agent::start_stacks() {
  const Result<void> asked = co_await compose_->refresh();
  if (!asked && asked.error().code == Errc::cancelled) co_return;
  stacks_started_ = true;
  spdlog::info("trimtabd {} with {}, {} {}, answers at {}", TRIMTAB_VERSION,
               asked ? compose_->tool().display() : "no Compose yet", stacks_.size(),
               stacks_.size() == 1 ? "stack" : "stacks", options_.socket.string());
  for (auto& [name, stack] : kept_) start_stack(stack);
}

// --- the service manager

std::string Agent::status_line() const {
  if (stacks_.empty() && unavailable_.empty()) return "no stack is configured";
  std::vector<std::string> words;
  for (const auto& [name, stack] : unavailable_)
    words.push_back(name + ": failed: " + stack.error.message);
  for (const auto& [name, stack] : stacks_)
    words.push_back(stack_line(stack_json(*stack), wall_now()));
  return join(words, "; ");
}

std::string Agent::stalled_part() const {
  if (!stacks_started_) return {};
  const auto silence = time_in_tests("TRIMTAB_LONGEST_SILENCE_MS", stall_timeout);
  for (const auto& [name, stack] : stacks_) {
    const auto what = find_stalled(stack->heartbeats(), SteadyClock::now(), silence);
    if (!what.empty()) return name + ": " + std::string(what);
  }
  return {};
}

// The watchdog is fed by the loop, and only while each stack gets on.
Task<void> Agent::tell_service_manager() {
  service_manager::tell_ready(status_line());
  std::chrono::microseconds interval = status_interval;
  if (const auto watchdog = service_manager::watchdog_interval()) {
    interval = std::min(interval, *watchdog / 3);
  }
  std::string told;
  for (;;) {
    const Result<void> slept = co_await sleep_for(interval);
    if (!slept) co_return;
    const std::string stalled = stalled_part();
    if (stalled.empty()) service_manager::feed_watchdog();
    if (!stalled.empty()) spdlog::critical("{} hangs: the watchdog is not fed", stalled);
    const std::string line = status_line();
    if (line != told) service_manager::tell_status(line);
    told = line;
  }
}

// --- reloading

Task<void> Agent::follow_reload_signal() {
  for (;;) {
    boost::system::error_code ec;
    co_await reload_signal_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    service_manager::tell_reloading();
    co_await reload();
    service_manager::tell_ready(status_line());
  }
}

// What is wrong in a file changes nothing of what that file said before.
Task<void> Agent::reload() {
  LoadResult loaded = load_config(options_.config_dir);
  take_findings(loaded);
  std::set<std::string> broken;
  const std::optional<Error> daemon_error = error_of_daemon(loaded);
  bool proxies_changed = false;
  for (const Finding& finding : loaded.findings) {
    if (finding.severity != Severity::error) continue;
    broken.insert(finding.file.stem().string());
  }
  if (daemon_error && daemon_error_) daemon_error_ = daemon_error;
  if (!daemon_error) {
    if (const auto log = set_up_log(loaded.daemon.log.level); !log) co_return;
    const bool needs_restart = loaded.daemon.docker != config_.daemon.docker ||
                               loaded.daemon.socket != config_.daemon.socket;
    if (daemon_error_ && loaded.daemon.docker == config_.daemon.docker) daemon_error_.reset();
    if (daemon_error_) {
      daemon_error_ =
          Error{Errc::invalid, "docker: of trimtab.yaml is taken up when trimtabd is restarted",
                "`systemctl restart trimtabd`"};
    }
    if (needs_restart) {
      problems_.push_back(
          "docker: and socket: of trimtab.yaml changed: they are taken up when "
          "trimtabd is restarted");
      spdlog::warn("{}", problems_.back());
    }
    co_await take_up_webhook(loaded.daemon.webhook);
    registry_->use(loaded.daemon.registries, proxies_of(loaded.daemon));
    proxies_changed = loaded.daemon.proxy != config_.daemon.proxy;
    config_.daemon.proxy = loaded.daemon.proxy;
  }
  std::map<std::string, StackSettings> wanted;
  for (const StackSettings& settings : loaded.stacks) wanted[settings.name] = settings;
  for (auto entry = unavailable_.begin(); entry != unavailable_.end();) {
    const auto& [name, stack] = *entry;
    if (broken.contains(name)) wanted[name] = stack.settings;
    if (!wanted.contains(name)) projects_.release(name);
    entry = wanted.contains(name) ? std::next(entry) : unavailable_.erase(entry);
  }
  std::erase_if(retries_,
                [this](const auto& retry) { return !unavailable_.contains(retry.first); });
  std::vector<std::string> outgoing;
  for (const auto& [name, stack] : kept_) {
    if (broken.contains(name)) {
      wanted[name] = stack.settings;
    } else if (!wanted.contains(name) || proxies_changed || !(wanted[name] == stack.settings)) {
      outgoing.push_back(name);
    }
  }
  for (const std::string& name : outgoing) {
    co_await remove_stack(name);
    spdlog::info("{}: {}", name,
                 wanted.contains(name) ? "its settings changed"
                                       : "no longer kept; what runs is left as it is");
  }
  // The stop has counted the stacks that it waits for.
  if (stopping_) co_return;
  for (const auto& [name, settings] : wanted) {
    if (!kept_.contains(name)) claim_project(settings);
  }
  for (const auto& [name, settings] : wanted) {
    if (!kept_.contains(name)) take_up(settings);
  }
  spdlog::info("the configuration was read again: {} {}", kept_.size(),
               kept_.size() == 1 ? "stack" : "stacks");
}

Task<void> Agent::remove_stack(std::string name) {
  KeptStack& stack = kept_[name];
  stack.reconciler->request_stop();
  std::vector<std::shared_ptr<Reconciler>> one{stack.reconciler};
  co_await stop_when_safe(std::move(one), false);
  stack.tasks->cancel();
  co_await stack.tasks->idle();
  projects_.release(name);
  stacks_.erase(name);
  kept_.erase(name);
}

// --- stopping

Task<void> Agent::stop() {
  stopping_ = true;
  server_->stop();
  std::vector<std::shared_ptr<Reconciler>> all;
  for (const auto& [name, stack] : stacks_) {
    stack->request_stop();
    all.push_back(stack);
  }
  co_await stop_when_safe(std::move(all), true);
  reload_signal_.cancel();
  for (auto& [name, stack] : kept_) stack.tasks->cancel();
  watchers_.cancel();
  // First: one of them reads the configuration again and may still remove a stack.
  co_await watchers_.idle();
  for (auto& [name, stack] : kept_) co_await stack.tasks->idle();
  co_await server_->idle();
  if (webhook_) co_await webhook_->stop();
  registry_->close();
  if (!owns_socket_) co_return;
  std::error_code ec;
  fs::remove(options_.socket, ec);
}

// Waits until no stack is in a phase that must not be cut; a second signal ends the wait.
Task<void> Agent::stop_when_safe(std::vector<std::shared_ptr<Reconciler>> stacks,
                                 bool heed_signals) {
  bool impatient = false;
  if (heed_signals) {
    signals_.async_wait([&impatient](const boost::system::error_code& ec, int) {
      if (!ec) impatient = true;
    });
    service_manager::ask_for_time(stop_timeout + std::chrono::seconds(10));
  }
  const SteadyClock::time_point deadline = SteadyClock::now() + stop_timeout;
  const auto safe = [&stacks] {
    return std::all_of(stacks.begin(), stacks.end(),
                       [](const auto& stack) { return stack->may_be_interrupted(); });
  };
  while (!safe() && !impatient && SteadyClock::now() < deadline) {
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(50));
    if (!slept) break;
  }
  if (!heed_signals) co_return;
  signals_.cancel();
  // The handler of the second signal refers to this frame.
  const Result<void> ran = co_await sleep_for(std::chrono::milliseconds(0));
  static_cast<void>(ran);
}

// The loop ends once nothing waits on it. Some of the agent's parts wait as long as they exist, as
// the bus connection does for signals, so the agent must be destroyed here and not after the loop.
Task<void> run_to_end(std::unique_ptr<Agent> agent, int* exit_code) {
  co_await agent->run();
  *exit_code = agent->exit_code();
  agent.reset();
}

}  // namespace

int run_agent(const AgentOptions& options) {
  // One arena: the loop is one thread, and memory is what small instances lack.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
  // What is checked out is read by containers under users of their own; what is private is made so
  // file by file.
  ::umask(022);
  std::signal(SIGPIPE, SIG_IGN);
  if (const auto log = set_up_log("info"); !log) return exit_failed;
  asio::io_context context(1);
  auto agent = std::make_unique<Agent>(options, context.get_executor());
  const Result<void> prepared = agent->prepare();
  if (!prepared) {
    spdlog::critical("{}", prepared.error().text());
    return prepared.error().code == Errc::invalid ? exit_configuration : exit_failed;
  }
  int exit_code = 0;
  asio::co_spawn(context, run_to_end(std::move(agent), &exit_code),
                 [](const std::exception_ptr& failure) {
                   if (failure) std::rethrow_exception(failure);
                 });
  measure_standstill();
  context.run();
  return exit_code;
}

}  // namespace trimtab
