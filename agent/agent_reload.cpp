// Reloading: applies a changed configuration to a daemon that runs.
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/agent.hpp"
#include "agent/notify/service_manager.hpp"
#include "agent/supervision.hpp"
#include "common/log.hpp"

namespace trimtab {

Task<void> Agent::follow_reload_signal() {
  for (;;) {
    boost::system::error_code ec;
    co_await reload_signal_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    service_manager::notify_reloading();
    co_await reload();
    service_manager::notify_ready(status_line(*stacks_));
  }
}

// A file with an error changes nothing of what that file said before.
Task<void> Agent::reload() {
  LoadResult loaded = load_config(options_.config_dir);
  report_findings(loaded);
  // A directory that is missing, as while it is moved or mounted, does not mean that no stack is
  // wanted.
  if (!loaded.is_complete) {
    problems_.push_back((options_.config_dir / "stacks.d").string() +
                        " is missing or cannot be listed: the configuration stays as it was; "
                        "reload once it is there, empty if no stack is to be kept");
    spdlog::error("{}", problems_.back());
    co_return;
  }
  std::set<std::string> broken;
  for (const Finding& finding : loaded.findings) {
    if (finding.severity == Severity::error) broken.insert(finding.file.stem().string());
  }
  bool proxies_changed = false;
  const std::optional<Error> daemon_error = error_of_daemon(loaded);
  if (daemon_error && stacks_->daemon_error()) stacks_->set_daemon_error(daemon_error);
  if (!daemon_error) {
    if (const auto log = set_up_log(loaded.daemon.log.level); !log) co_return;
    proxies_changed = co_await apply(loaded.daemon);
  }
  co_await stacks_->update(std::move(loaded.stacks), std::move(broken), proxies_changed);
}

// Applies what can be changed without a restart. Returns true if the proxies changed, which every
// stack was created with.
Task<bool> Agent::apply(DaemonSettings settings) {
  DaemonSettings& current = config_.daemon;
  std::optional<Error> error = stacks_->daemon_error();
  if (error && settings.docker == current.docker) error.reset();
  if (error) {
    error = Error{Errc::invalid,
                  "changes of docker: in trimtab.yaml take effect when trimtabd is restarted",
                  "`systemctl restart trimtabd`"};
  }
  stacks_->set_daemon_error(std::move(error));
  if (settings.docker != current.docker || settings.socket != current.socket) {
    problems_.push_back(
        "docker: or socket: in trimtab.yaml changed: the change takes effect when "
        "trimtabd is restarted");
    spdlog::warn("{}", problems_.back());
  }
  co_await update_webhook(settings.webhook);
  host_->registry().use(settings.registries, proxies_of(settings));
  const bool proxies_changed = settings.proxy != current.proxy;
  current.proxy = settings.proxy;
  co_return proxies_changed;
}

}  // namespace trimtab
