#include "agent/agent.hpp"

#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "agent/api/api.hpp"
#include "agent/compose/compose_program.hpp"
#include "agent/config/load.hpp"
#include "agent/docker/docker_engine.hpp"
#include "agent/git/git_program.hpp"
#include "agent/reconcile/reconciler.hpp"
#include "agent/registry/registry_client.hpp"
#include "common/files.hpp"
#include "common/http_server.hpp"
#include "common/log.hpp"
#include "common/process.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr int exit_failed = 1;
constexpr int exit_configuration = 2;

// A phase that must not be cut is given this long when the daemon is to stop.
constexpr auto stop_patience = std::chrono::seconds(80);

using Stacks = std::map<std::string, std::unique_ptr<Reconciler>>;

// Root, the daemon's own user, and members of the group.
bool may_use_socket(const http::Peer& peer, const std::string& group_name) {
  if (peer.uid == 0 || peer.uid == ::geteuid()) return true;
  const ::group* const group = ::getgrnam(group_name.c_str());
  if (group == nullptr) return false;
  if (peer.gid == group->gr_gid) return true;
  const ::passwd* const user = ::getpwuid(peer.uid);
  if (user == nullptr) return false;
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgrouplist(user->pw_name, user->pw_gid, groups.data(), &count) < 0) return false;
  groups.resize(static_cast<std::size_t>(count));
  return std::find(groups.begin(), groups.end(), group->gr_gid) != groups.end();
}

class Agent {
 public:
  Agent(AgentOptions options, asio::any_io_executor executor)
      : options_(std::move(options)),
        executor_(executor),
        host_turn_(executor),
        watchers_(executor),
        reconcilers_(executor),
        signals_(executor, SIGTERM, SIGINT) {}

  // Reads configuration and state and takes the lock; nothing is asked of anybody yet.
  Result<void> prepare();
  Task<void> run();
  [[nodiscard]] int exit_code() const { return exit_code_; }

 private:
  Result<void> add_stack(const StackSettings& settings);
  Task<void> serve();
  Task<void> stop();
  Task<void> cancel_when_safe();

  AgentOptions options_;
  asio::any_io_executor executor_;
  LoadResult config_;
  UniqueFd lock_;
  std::unique_ptr<DockerEngine> docker_;
  std::unique_ptr<RegistryClient> registry_;
  std::unique_ptr<ComposeProgram> compose_;
  std::unique_ptr<EngineWatcher> engine_;
  EventBus events_;
  Turn host_turn_;
  Stacks stacks_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<http::Server> server_;
  TaskGroup watchers_;
  TaskGroup reconcilers_;
  asio::signal_set signals_;
  int exit_code_ = 0;
};

Result<void> Agent::prepare() {
  config_ = load_config(options_.config_dir);
  if (auto log = set_up_log(config_.daemon.log.level); !log) return log;
  for (const Finding& finding : config_.findings) {
    if (finding.severity == Severity::error) {
      spdlog::error("{}", to_string(finding));
    } else {
      spdlog::warn("{}", to_string(finding));
    }
  }
  if (!config_.ok() && config_.stacks.empty()) {
    return Error{Errc::invalid, "the configuration has errors and no stack without one",
                 "`trimtab check` shows them"};
  }
  if (auto made = make_private_directory(options_.state_dir); !made) return made;
  Result<UniqueFd> lock = lock_file(options_.state_dir / "lock");
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
  // Given to Compose in place of a .env file that must not be read.
  return write_file_durably(options_.state_dir / "empty", "");
}

Result<void> Agent::add_stack(const StackSettings& settings) {
  Result<Store> store = Store::open(options_.state_dir / settings.name);
  if (!store) return store.error();
  GitAccess access;
  access.url = settings.git.url;
  access.key = settings.git.key;
  access.known_hosts = settings.git.known_hosts;
  access.token_file = settings.git.token_file;
  access.ca_file = settings.git.ca_file;
  ReconcilerParts parts{executor_,
                        settings,
                        std::make_unique<GitProgram>(access, settings.git.ref, store->repository(),
                                                     store->directory()),
                        *registry_,
                        *docker_,
                        *engine_,
                        *compose_,
                        std::move(*store),
                        events_,
                        host_turn_};
  stacks_[settings.name] = std::make_unique<Reconciler>(std::move(parts));
  return {};
}

Task<void> Agent::run() {
  const std::string docker_socket = config_.daemon.docker.socket.string();
  docker_ = std::make_unique<DockerEngine>(docker_socket);
  registry_ = std::make_unique<RegistryClient>(config_.daemon.docker.config, "/etc/docker/certs.d");
  const Result<ComposeTool> tool = co_await find_compose(docker_socket);
  if (!tool) {
    spdlog::critical("{}", tool.error().text());
    exit_code_ = exit_failed;
    co_return;
  }
  compose_ = std::make_unique<ComposeProgram>(*tool, docker_socket, options_.state_dir / "empty");
  engine_ = std::make_unique<EngineWatcher>(
      *docker_,
      [this](const EngineEvent& event) {
        for (const auto& [name, stack] : stacks_) stack->on_engine_event(event);
      },
      [this] {
        for (const auto& [name, stack] : stacks_) stack->on_engine_change();
      },
      [this] {
        for (const auto& [name, stack] : stacks_) stack->on_engine_change();
      });
  for (const StackSettings& settings : config_.stacks) {
    const Result<void> added = add_stack(settings);
    if (!added) {
      spdlog::critical("{}: {}", settings.name, added.error().text());
      exit_code_ = exit_failed;
      co_return;
    }
  }
  std::error_code ec;
  fs::create_directories(options_.socket.parent_path(), ec);
  Result<UniqueFd> listener =
      http::listen_unix(options_.socket.string(), 0660, config_.daemon.socket.group);
  if (!listener) {
    spdlog::critical("{}", listener.error().text());
    exit_code_ = exit_failed;
    co_return;
  }
  api_ = std::make_unique<Api>(executor_, stacks_, *docker_, *engine_, *compose_, events_);
  server_ = std::make_unique<http::Server>(
      executor_, std::move(*listener), http::ServerLimits{},
      [group = config_.daemon.socket.group](const http::Peer& peer) {
        return may_use_socket(peer, group);
      },
      [this](http::Request request, http::Peer peer) {
        return api_->handle(std::move(request), peer);
      });
  spdlog::info("trimtabd {} with {}, {} {}, answers at {}", TRIMTAB_VERSION, tool->display(),
               stacks_.size(), stacks_.size() == 1 ? "stack" : "stacks", options_.socket.string());
  co_await serve();
}

Task<void> Agent::serve() {
  watchers_.spawn("status socket", server_->run());
  watchers_.spawn("Docker's events", engine_->run());
  for (const auto& [name, stack] : stacks_) {
    reconcilers_.spawn(name, stack->run());
    watchers_.spawn(name + ": git", stack->watch_git());
    watchers_.spawn(name + ": images", stack->watch_images());
  }
  boost::system::error_code ec;
  co_await signals_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  spdlog::info("stopping");
  co_await stop();
}

Task<void> Agent::stop() {
  server_->stop();
  for (const auto& [name, stack] : stacks_) stack->request_stop();
  co_await cancel_when_safe();
  reconcilers_.cancel();
  watchers_.cancel();
  co_await reconcilers_.idle();
  co_await server_->idle();
  co_await watchers_.idle();
  registry_->close();
  std::error_code ec;
  fs::remove(options_.socket, ec);
}

// Waits until no stack is in a phase that must not be cut; a second signal ends the wait.
Task<void> Agent::cancel_when_safe() {
  bool impatient = false;
  signals_.async_wait([&impatient](const boost::system::error_code& ec, int) {
    if (!ec) impatient = true;
  });
  const SteadyClock::time_point deadline = SteadyClock::now() + stop_patience;
  const auto safe = [this] {
    return std::all_of(stacks_.begin(), stacks_.end(),
                       [](const auto& stack) { return stack.second->may_be_interrupted(); });
  };
  while (!safe() && !impatient && SteadyClock::now() < deadline) {
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(50));
    if (!slept) break;
  }
  signals_.cancel();
  // The handler of the second signal refers to this frame.
  const Result<void> ran = co_await sleep_for(std::chrono::milliseconds(0));
  static_cast<void>(ran);
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
  Agent agent(options, context.get_executor());
  const Result<void> prepared = agent.prepare();
  if (!prepared) {
    spdlog::critical("{}", prepared.error().text());
    return prepared.error().code == Errc::invalid ? exit_configuration : exit_failed;
  }
  asio::co_spawn(context, agent.run(), [](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
  });
  context.run();
  return agent.exit_code();
}

}  // namespace trimtab
