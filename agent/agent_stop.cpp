// Stopping: ends what may be interrupted, waits for what may not, then ends every task.
#include "agent/agent.hpp"
#include "agent/notify/service_manager.hpp"

namespace trimtab {

Task<void> Agent::stop() {
  server_->stop();
  co_await finish_stacks();
  reload_signal_.cancel();
  stacks_->cancel();
  tasks_.cancel();
  // First: a reload in progress may still remove a stack.
  co_await tasks_.idle();
  co_await stacks_->idle();
  co_await server_->idle();
  if (webhook_) co_await webhook_->stop();
  host_->registry().close();
  if (!owns_socket_) co_return;
  std::error_code ec;
  std::filesystem::remove(options_.socket, ec);
}

// A second signal ends the wait.
Task<void> Agent::finish_stacks() {
  bool impatient = false;
  stop_signals_.async_wait([&impatient](const boost::system::error_code& ec, int) {
    if (!ec) impatient = true;
  });
  service_manager::ask_for_time(ManagedStacks::stop_timeout + std::chrono::seconds(10));
  co_await stacks_->finish(&impatient);
  stop_signals_.cancel();
  // Lets the handler, which refers to this frame, run before the frame ends.
  const Result<void> ran = co_await sleep_for(std::chrono::milliseconds(0));
  static_cast<void>(ran);
}

}  // namespace trimtab
