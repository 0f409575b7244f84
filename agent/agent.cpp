#include "agent/agent.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "agent/notify/service_manager.hpp"
#include "agent/socket_access.hpp"
#include "agent/supervision.hpp"
#include "common/log.hpp"
#include "common/memory.hpp"
#include "common/process.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

constexpr auto memory_interval = std::chrono::seconds(30);

Task<void> release_memory_periodically() {
  for (;;) {
    const Result<void> slept = co_await sleep_for(memory_interval);
    if (!slept) co_return;
    release_unused_memory();
  }
}

}  // namespace

std::optional<Error> error_of_daemon(const LoadResult& loaded) {
  for (const Finding& finding : loaded.findings) {
    if (finding.severity != Severity::error || finding.file.filename() != "trimtab.yaml") continue;
    return Error{Errc::invalid, to_string(finding),
                 "correct it, as `trimtab check` shows, then `systemctl reload trimtabd`"};
  }
  return std::nullopt;
}

Agent::Agent(AgentOptions options, asio::any_io_executor executor)
    : options_(std::move(options)),
      executor_(executor),
      tasks_(executor),
      stop_signals_(executor, SIGTERM, SIGINT),
      reload_signal_(executor, SIGHUP) {}

void Agent::report_findings(const LoadResult& loaded) {
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
  report_findings(config_);
  if (!config_.ok() && config_.stacks.empty()) {
    return Error{Errc::invalid, "the configuration has errors in every stack",
                 "`trimtab check` shows them"};
  }
  if (auto made = make_private_directory(options_.state_dir); !made) return made;
  // Locks the directory itself: on a full disk no lock file could be created.
  Result<UniqueFd> lock = lock_file(options_.state_dir);
  if (!lock) {
    if (lock.error().code != Errc::conflict) return lock.error();
    return Error{Errc::conflict, "another trimtabd is running with " + options_.state_dir.string(),
                 "stop it first, or give this one a --state-dir of its own"};
  }
  lock_ = std::move(*lock);
  const int orphans = end_orphans(fs::absolute(options_.state_dir).string());
  if (orphans > 0) {
    spdlog::warn("killed {} {} left behind by a trimtabd that was killed", orphans,
                 orphans == 1 ? "program" : "programs");
  }
  return {};
}

Task<Result<void>> Agent::run() {
  HostServices::Callbacks callbacks;
  callbacks.on_engine_event = [this](const EngineEvent& event) { stacks_->on_engine_event(event); };
  callbacks.on_engine_change = [this] { stacks_->on_engine_change(); };
  host_ = std::make_unique<HostServices>(executor_, config_.daemon, options_.state_dir / "empty",
                                         options_.systemd, std::move(callbacks));
  stacks_ = std::make_unique<ManagedStacks>(executor_, options_.state_dir, *host_, config_.daemon);
  stacks_->set_daemon_error(error_of_daemon(config_));
  co_await stacks_->add(config_.stacks);
  if (const Result<void> listening = listen(); !listening) co_return listening.error();
  co_await update_webhook(config_.daemon.webhook);
  tasks_.spawn("status socket", server_->run());
  tasks_.spawn("Docker's events", host_->engine().run());
  tasks_.spawn("memory", release_memory_periodically());
  tasks_.spawn("reload", follow_reload_signal());
  tasks_.spawn("service manager", report_to_service_manager(*stacks_));
  tasks_.spawn("start of the stacks", start_stacks());
  tasks_.spawn("unavailable stacks", stacks_->retry_unavailable());
  boost::system::error_code ec;
  co_await stop_signals_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  spdlog::info("stopping");
  service_manager::notify_stopping();
  co_await stop();
  co_return Result<void>();
}

// Detecting the Compose version is the slowest step of a start, so the socket answers before it.
// Stacks that need Compose detect it again if it was not found.
Task<void> Agent::start_stacks() {
  ComposeProgram& compose = host_->compose();
  const Result<void> detected = co_await compose.refresh();
  if (!detected && detected.error().code == Errc::cancelled) co_return;
  const std::size_t count = stacks_->reconcilers().size();
  spdlog::info("trimtabd {} with {}, {} {}, answers at {}", TRIMTAB_VERSION,
               detected ? compose.tool().display() : "no Compose yet", count,
               count == 1 ? "stack" : "stacks", options_.socket.string());
  stacks_->start();
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
  api_ =
      std::make_unique<Api>(executor_, stacks_->reconcilers(), stacks_->unavailable(),
                            host_->docker(), host_->engine(), host_->compose(), stacks_->events(),
                            problems_, webhook_, [this] { return find_stalled_part(*stacks_); });
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

// A webhook that cannot bind is not fatal: polling finds every change anyway.
Task<void> Agent::update_webhook(DaemonSettings::Webhook settings) {
  if (webhook_ && webhook_->settings() == settings) co_return;
  if (webhook_) {
    co_await webhook_->stop();
    webhook_.reset();
  }
  if (settings.listen.empty()) co_return;
  Webhook::Stacks stacks;
  stacks.names = [this] {
    std::vector<std::string> names;
    for (const auto& [name, stack] : stacks_->reconcilers()) names.push_back(name);
    return names;
  };
  stacks.poll_now = [this](const std::string& name) {
    const auto found = stacks_->reconcilers().find(name);
    if (found != stacks_->reconcilers().end()) found->second->poll_now();
  };
  webhook_ = std::make_unique<Webhook>(executor_, std::move(settings), std::move(stacks));
  webhook_->start();
}

}  // namespace trimtab
