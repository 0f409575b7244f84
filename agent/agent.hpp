// The daemon as a whole: creates its parts, wires them, reloads and stops them.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/load.hpp"
#include "agent/managed_stacks.hpp"
#include "common/files.hpp"

namespace trimtab {

struct AgentOptions {
  std::filesystem::path config_dir = "/etc/trimtab";
  std::filesystem::path state_dir = "/var/lib/trimtab";
  std::filesystem::path socket = "/run/trimtab/trimtab.sock";
  // The systemd that manages this host, if one does.
  std::optional<SystemdOptions> systemd;
};

// More than 15 members: what starts, reloads and stops the daemon works on the same parts.
class Agent {
 public:
  Agent(AgentOptions options, asio::any_io_executor executor);

  // Reads the configuration and locks the state directory; connects to nothing yet. Must succeed
  // before run().
  Result<void> prepare();
  // Runs until SIGTERM or SIGINT. Fails if the status socket cannot be opened.
  Task<Result<void>> run();

 private:
  void report_findings(const LoadResult& loaded);
  Result<void> listen();
  Task<void> update_webhook(DaemonSettings::Webhook settings);
  Task<void> start_stacks();
  Task<void> follow_reload_signal();
  Task<void> reload();
  Task<bool> apply(DaemonSettings settings);
  Task<void> stop();
  Task<void> finish_stacks();

  AgentOptions options_;
  asio::any_io_executor executor_;
  LoadResult config_;
  std::vector<std::string> problems_;  // of the configuration
  UniqueFd lock_;
  std::unique_ptr<HostServices> host_;
  std::unique_ptr<ManagedStacks> stacks_;
  std::unique_ptr<Webhook> webhook_;  // null: none is configured
  std::unique_ptr<Api> api_;
  std::unique_ptr<http::Server> server_;
  bool owns_socket_ = false;  // false: the service manager opened it
  TaskGroup tasks_;
  asio::signal_set stop_signals_;
  asio::signal_set reload_signal_;
};

// Returns the first error in trimtab.yaml, with its place.
std::optional<Error> error_of_daemon(const LoadResult& loaded);

}  // namespace trimtab
