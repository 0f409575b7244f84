#include "cli/commands.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

#include "agent/config/load.hpp"
#include "cli/client.hpp"
#include "cli/exit_code.hpp"
#include "cli/init.hpp"
#include "cli/render.hpp"
#include "cli/server_events.hpp"
#include "cli/terminal.hpp"
#include "cli/watch.hpp"
#include "common/text.hpp"
#include "common/url.hpp"

namespace trimtab::cli {

namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "trimtab: %s\n", printable(error.text()).c_str());
  return exit_code(error.code);
}

int check(const Options& options, Terminal& terminal) {
  const LoadResult loaded =
      options.files.empty() ? load_config(options.config_dir) : load_files(options.files);
  if (options.json) {
    Json findings = Json::array();
    for (const Finding& finding : loaded.findings) {
      findings.push_back(
          Json{{"file", finding.file.string()},
               {"line", finding.line},
               {"column", finding.column},
               {"severity", finding.severity == Severity::error ? "error" : "warning"},
               {"message", finding.message}});
    }
    Json answer = {{"stacks", loaded.stacks.size()}};
    answer["findings"] = std::move(findings);
    terminal.print({dump_json(answer, 2)});
    return loaded.ok() ? exit_done : exit_usage;
  }
  for (const Finding& finding : loaded.findings) terminal.print({one_line(to_string(finding))});
  if (!loaded.ok()) return exit_usage;
  const std::size_t count = loaded.stacks.size();
  terminal.print({fmt::format("ok: {}{}", count, count == 1 ? " stack" : " stacks")});
  return exit_done;
}

// Prints text that arrives in pieces, by whole lines. If `harmless`, neutralizes what could control
// a terminal.
class LogPrinter {
 public:
  explicit LogPrinter(bool harmless) : harmless_(harmless) {}
  void feed(std::string_view bytes) {
    constexpr std::size_t longest = 256 * 1024;
    pending_ += bytes;
    const auto end = pending_.rfind('\n');
    const std::size_t ready = end != std::string::npos    ? end + 1
                              : pending_.size() > longest ? pending_.size()
                                                          : 0;
    write(std::string_view(pending_).substr(0, ready));
    pending_.erase(0, ready);
  }
  void finish() { write(std::exchange(pending_, {})); }

 private:
  void write(std::string_view text) const {
    if (text.empty()) return;
    const std::string out = harmless_ ? printable(text) : std::string(text);
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
  }

  bool harmless_;
  std::string pending_;
};

// A command that talks to the daemon.
//
// More than 15 members: one function per command.
class RemoteCommand {
 public:
  RemoteCommand(asio::any_io_executor executor, const Options& options, Terminal& terminal)
      : executor_(std::move(executor)),
        options_(options),
        terminal_(terminal),
        client_(options.socket),
        feed_(executor_, options.socket, options.stack),
        group_(executor_) {}

  Task<int> run();

 private:
  Task<int> act();
  Task<int> status();
  Task<int> watch();
  Task<int> plan();
  Task<int> history();
  Task<int> show();
  Task<int> logs();
  Task<int> events();
  Task<int> deploy_or_rollback();
  Task<int> wait_for(std::string request);
  Task<int> pause_or_resume();

  // Prints the error; if the stack is unknown, also lists the known ones.
  Task<int> fail(Error error);
  int print_json(const Json& value) {
    terminal_.print({dump_json(value, 2)});
    return exit_done;
  }

  asio::any_io_executor executor_;
  const Options& options_;
  Terminal& terminal_;
  Client client_;
  EventFeed feed_;
  TaskGroup group_;
  bool interrupted_ = false;
};

Task<int> RemoteCommand::run() {
  const int code = co_await act();
  group_.cancel();
  co_await group_.idle();
  co_return code;
}

Task<int> RemoteCommand::act() {
  switch (options_.action) {
    case Action::status:
      if (options_.watch) co_return co_await watch();
      co_return co_await status();
    case Action::plan:
      co_return co_await plan();
    case Action::deploy:
    case Action::rollback:
      co_return co_await deploy_or_rollback();
    case Action::history:
      co_return co_await history();
    case Action::show:
      co_return co_await show();
    case Action::logs:
      co_return co_await logs();
    case Action::events:
      co_return co_await events();
    case Action::pause:
    case Action::resume:
      co_return co_await pause_or_resume();
    case Action::check:
    case Action::init:
      break;  // handled without the daemon
  }
  co_return exit_usage;
}

Task<int> RemoteCommand::fail(Error error) {
  if (error.code == Errc::not_found && !options_.stack.empty()) {
    const std::string target = "/v1/status";
    const auto status = co_await client_.get(target);
    bool known = !status;
    if (status) {
      for (const Json& stack : json_array(*status, "stacks")) {
        known = known || json_string(stack, "name") == options_.stack;
      }
    }
    if (!known) error = unknown_stack(options_.stack, *status);
  }
  co_return complain(error);
}

Task<int> RemoteCommand::status() {
  const std::string target =
      options_.stack.empty() ? std::string("/v1/status") : stack_target(options_.stack);
  const auto answer = co_await client_.get(target);
  if (!answer) co_return co_await fail(answer.error());
  if (options_.json) co_return print_json(*answer);
  const Screen screen = terminal_.screen();
  terminal_.print(options_.stack.empty() ? render_status(*answer, screen)
                                         : render_stack(*answer, screen));
  co_return exit_done;
}

Task<int> RemoteCommand::watch() {
  group_.spawn("events", feed_.run());
  auto error = co_await watch_status(client_, feed_, terminal_, options_.stack);
  co_return co_await fail(std::move(error));
}

Task<int> RemoteCommand::plan() {
  // The daemon queries the remote and the registries, and fetches.
  constexpr std::chrono::minutes timeout{5};
  const std::string target = stack_target(options_.stack, "/plan");
  const auto answer = co_await client_.get(target, timeout);
  if (!answer) co_return co_await fail(answer.error());
  if (options_.json) co_return print_json(*answer);
  terminal_.print(render_plan(*answer, terminal_.screen()));
  co_return exit_done;
}

Task<int> RemoteCommand::history() {
  const std::string target = stack_target(options_.stack, "/releases");
  const auto answer = co_await client_.get(target);
  if (!answer) co_return co_await fail(answer.error());
  if (options_.json) co_return print_json(*answer);
  terminal_.print(render_history(*answer, terminal_.screen()));
  co_return exit_done;
}

Task<int> RemoteCommand::show() {
  const std::string target =
      stack_target(options_.stack, fmt::format("/releases/{}", options_.release));
  const auto answer = co_await client_.get(target);
  if (!answer) co_return co_await fail(answer.error());
  if (options_.json) co_return print_json(*answer);
  terminal_.print(render_release(options_.stack, *answer, terminal_.screen()));
  co_return exit_done;
}

Task<int> RemoteCommand::logs() {
  std::string target = stack_target(options_.stack, fmt::format("/logs?tail={}", options_.tail));
  if (options_.follow) target += "&follow=true";
  for (const std::string& service : options_.services) {
    target += "&service=" + http::percent_encode(service);
  }
  // A pipe or file gets every byte unchanged, including colours.
  LogPrinter printer(::isatty(STDOUT_FILENO) == 1);
  std::function<void()> on_open = [] {};
  http::OnChunk on_chunk = [&printer](std::string_view chunk) {
    printer.feed(chunk);
    return true;
  };
  const auto ended = co_await client_.stream(target, std::move(on_open), std::move(on_chunk));
  printer.finish();
  if (!ended) co_return co_await fail(ended.error());
  co_return exit_done;
}

Task<int> RemoteCommand::events() {
  std::string target =
      options_.follow ? "/v1/events?recent=10" : "/v1/events?recent=100&follow=false";
  if (!options_.stack.empty()) target += "&stack=" + http::percent_encode(options_.stack);
  EventParser parser([this](std::string_view type, std::string_view data) {
    const auto event = parse_json(data);
    if (!event) return;
    if (options_.json) {
      terminal_.print({dump_json(*event)});
      return;
    }
    // Download progress is shown by `deploy --wait`; here it would bury everything else.
    if (type == "pull") return;
    terminal_.print({render_event(*event, terminal_.screen())});
  });
  std::function<void()> on_open = [] {};
  http::OnChunk on_chunk = [&parser](std::string_view chunk) {
    parser.feed(chunk);
    return true;
  };
  const auto ended = co_await client_.stream(target, std::move(on_open), std::move(on_chunk));
  if (!ended) co_return co_await fail(ended.error());
  co_return exit_done;
}

Task<int> RemoteCommand::deploy_or_rollback() {
  const bool rollback = options_.action == Action::rollback;
  const std::string name = rollback ? "rollback" : "deploy";
  Json body = Json::object();
  if (rollback && options_.release != 0) body["release"] = options_.release;
  if (!options_.commit.empty()) body["commit"] = options_.commit;
  if (options_.wait) group_.spawn("events", feed_.run());
  const std::string target = stack_target(options_.stack, "/" + name);
  const auto answer = co_await client_.post(target, body);
  if (!answer) co_return co_await fail(answer.error());
  if (options_.wait) {
    std::string request = json_string(*answer, "request");
    co_return co_await wait_for(std::move(request));
  }
  terminal_.print({fmt::format("{}: {} requested; `trimtab status {} --watch` shows the progress",
                               options_.stack, name, options_.stack)});
  co_return exit_done;
}

Task<int> RemoteCommand::wait_for(std::string request) {
  asio::signal_set signals(executor_, SIGINT);
  signals.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    interrupted_ = true;
    feed_.notify();
  });
  const auto ending = co_await follow_request(client_, feed_, terminal_, options_.stack,
                                              std::move(request), interrupted_);
  signals.cancel();
  if (interrupted_) {
    terminal_.print({fmt::format("The deployment continues; `trimtab status {}` shows its result.",
                                 options_.stack)});
    co_return 128 + SIGINT;
  }
  if (!ending) co_return co_await fail(ending.error());
  terminal_.print(
      deploy_outcome(options_.stack, ending->request, ending->release, terminal_.screen()));
  const std::string outcome = json_string(ending->request, "outcome");
  if (outcome == "done" || outcome == "nothing_to_do") co_return exit_done;
  co_return outcome == "rejected" || outcome == "rolled_back" ? exit_rejected : exit_failed;
}

Task<int> RemoteCommand::pause_or_resume() {
  const bool pause = options_.action == Action::pause;
  Json body = Json::object();
  if (!options_.reason.empty()) body["reason"] = options_.reason;
  const std::string target = stack_target(options_.stack, pause ? "/pause" : "/resume");
  const auto answer = co_await client_.post(target, body);
  if (!answer) co_return co_await fail(answer.error());
  terminal_.print({pause ? fmt::format("{}: paused; nothing changes until `trimtab resume {}`",
                                       options_.stack, options_.stack)
                         : options_.stack + ": resumed"});
  co_return exit_done;
}

}  // namespace

int run(const Options& options) {
  Terminal terminal;
  if (options.action == Action::check) return check(options, terminal);
  if (options.action == Action::init) return init(options.init, options.config_dir, terminal);
  asio::io_context loop(1);
  RemoteCommand conversation(loop.get_executor(), options, terminal);
  int code = exit_failed;
  auto done = [&code](const std::exception_ptr& failure, int result) {
    if (failure) std::rethrow_exception(failure);
    code = result;
  };
  asio::co_spawn(loop, conversation.run(), std::move(done));
  loop.run();
  return code;
}

}  // namespace trimtab::cli
