#include "agent/run_agent.hpp"

#include <malloc.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>

#include "common/log.hpp"
#include "common/standstill.hpp"

namespace trimtab {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_configuration = 2;

// The loop ends once nothing waits on it. Some of the agent's parts wait as long as they exist, as
// the bus connection does for signals, so the agent must be destroyed here and not after the loop.
Task<void> run_to_end(std::unique_ptr<Agent> agent, int* exit_code) {
  const Result<void> ran = co_await agent->run();
  if (!ran) {
    spdlog::critical("{}", ran.error().text());
    *exit_code = exit_failed;
  }
  agent.reset();
}

}  // namespace

int run_agent(const AgentOptions& options) {
  // One arena is enough for one loop thread and saves memory, which small instances lack.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
  // Containers under users of their own read the checkout; private files get their mode one by one.
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
