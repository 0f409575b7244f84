// More than 400 lines, because spawning, reading and killing children share the state of one child.
#include "common/process.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "common/fd_io.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "common/marked_processes.hpp"
#include "common/task_scope.hpp"
#include "common/text.hpp"

namespace trimtab {

namespace {

using boost::system::error_code;

// Time between SIGTERM and SIGKILL.
constexpr auto stop_grace = std::chrono::seconds(5);
// Time after the child's exit for reading what is left in its pipes, which a grandchild may hold
// open indefinitely.
constexpr auto drain_grace = std::chrono::seconds(1);

// Variable in the environment of children; "": none.
std::string& owner_mark() {
  static std::string mark;
  return mark;
}

// Keeps the last `limit` bytes of a stream.
class Tail {
 public:
  explicit Tail(std::size_t limit) : limit_(limit) {}
  void append(std::string_view piece) {
    kept_ += piece;
    // Truncates only occasionally, because each time the rest has to be moved.
    if (kept_.size() > 2 * limit_ + 64 * 1024) cut();
  }
  std::string take() {
    cut();
    return std::move(kept_);
  }
  [[nodiscard]] bool truncated() const { return truncated_; }

 private:
  void cut() {
    if (kept_.size() <= limit_) return;
    kept_.erase(0, kept_.size() - limit_);
    truncated_ = true;
  }
  std::size_t limit_;
  std::string kept_;
  bool truncated_ = false;
};

// Shared because the timers' handlers may run once more after the coroutine has ended.
struct Child {
  explicit Child(const asio::any_io_executor& executor)
      : ended(executor), out(executor), err(executor), timer(executor) {}

  void signal_group(int signal) const { ::kill(-pid, signal); }

  pid_t pid = -1;
  asio::posix::stream_descriptor ended;  // a pidfd: readable once the child has exited
  asio::posix::stream_descriptor out;
  asio::posix::stream_descriptor err;
  asio::steady_timer timer;  // timeout, then the grace before SIGKILL, then the one for draining
  bool stopping = false;
  bool timed_out = false;
};

// Sends SIGTERM to the group, and SIGKILL to what is left after the grace period.
void stop(const std::shared_ptr<Child>& child) {
  child->stopping = true;
  child->signal_group(SIGTERM);
  child->timer.expires_after(stop_grace);
  child->timer.async_wait([child](const error_code& ec) {
    if (ec) return;
    child->signal_group(SIGKILL);
    // Rather loses the rest of the output than waits for it.
    error_code ignored;
    child->out.close(ignored);
    child->err.close(ignored);
  });
}

Error spawn_error(const Command& command, int error_number) {
  const std::string reason = std::generic_category().message(error_number);
  Errc code = Errc::failed;
  if (error_number == ENOENT) code = Errc::not_found;
  for (const int scarce : {EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY}) {
    if (error_number == scarce) code = Errc::unavailable;
  }
  return Error{code, fmt::format("cannot start {}: {}", command.argv.front(), reason), {}};
}

// Returns standard input containing `input`, in memory: never on disk, nor in a pipe that could
// block.
UniqueFd open_input(std::string_view input) {
  if (input.empty()) return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return file_in_memory(input);
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

// posix_spawn: no code of this process runs between fork and exec. Returns 0 or errno.
int spawn(const Command& command, const std::string& program, int in, int out, int err,
          pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  // Asio's sockets are not close-on-exec.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  if (!command.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
  }

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // exec resets signal handlers, but ignored signals stay ignored unless they are reset.
  sigset_t reset;
  sigemptyset(&reset);
  for (const int signal : {SIGPIPE, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
    sigaddset(&reset, signal);
  }
  posix_spawnattr_setsigdefault(&attributes, &reset);

  std::vector<std::string> arguments = command.argv;
  std::vector<std::string> variables;
  for (const auto& [name, value] : command.environment) variables.push_back(name + "=" + value);
  if (!owner_mark().empty()) variables.push_back(owner_mark());
  const int failure = ::posix_spawn(&pid, program.c_str(), &actions, &attributes,
                                    pointers(arguments).data(), pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failure;
}

Result<void> start(const Command& command, Child& child) {
  std::string program = command.argv.front();
  if (program.find('/') == std::string::npos) {
    const auto path = command.environment.find("PATH");
    program =
        find_program(program, path == command.environment.end() ? std::string() : path->second);
    if (program.empty()) {
      return Error{Errc::not_found, command.argv.front() + " is not installed",
                   "install it, or add its directory to PATH"};
    }
  }
  std::error_code ec;
  if (!command.directory.empty() && !std::filesystem::is_directory(command.directory, ec)) {
    return Error{Errc::not_found,
                 fmt::format("cannot run {} in {}: no such directory", command.argv.front(),
                             command.directory),
                 {}};
  }

  const UniqueFd in = open_input(command.input);
  std::array<int, 2> out_pipe{-1, -1};
  std::array<int, 2> err_pipe{-1, -1};
  if (!in.valid() || ::pipe2(out_pipe.data(), O_CLOEXEC) != 0) return spawn_error(command, errno);
  UniqueFd out_read(out_pipe[0]);
  const UniqueFd out_write(out_pipe[1]);
  if (::pipe2(err_pipe.data(), O_CLOEXEC) != 0) return spawn_error(command, errno);
  UniqueFd err_read(err_pipe[0]);
  const UniqueFd err_write(err_pipe[1]);

  const int failure =
      spawn(command, program, in.get(), out_write.get(), err_write.get(), child.pid);
  if (failure != 0) return spawn_error(command, failure);

  // By syscall number, because the wrapper requires a newer glibc than the oldest supported system
  // has.
  const long pidfd = ::syscall(SYS_pidfd_open, child.pid, 0);
  if (pidfd < 0) {
    const int reason = errno;
    child.signal_group(SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return spawn_error(command, reason);
  }
  ::fcntl(out_read.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(err_read.get(), F_SETFL, O_NONBLOCK);
  child.ended.assign(static_cast<int>(pidfd));
  child.out.assign(out_read.release());
  child.err.assign(err_read.release());
  return {};
}

// Both must outlive the task; run_to_end() waits for it.
Task<void> collect(asio::posix::stream_descriptor* from, Tail* into) {
  std::vector<char> piece(16 * 1024);
  for (;;) {
    error_code ec;
    const std::size_t n = co_await from->async_read_some(
        asio::buffer(piece), asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    into->append({piece.data(), n});
  }
}

// Returns whether the child has exited. If !reap, it stays a zombie, so that its pid, which is also
// its group's id, is not reused.
bool has_ended(pid_t pid, bool reap, siginfo_t& info) {
  info = {};
  const int flags = WEXITED | WNOHANG | (reap ? 0 : WNOWAIT);
  const int failed = ::waitid(P_PID, static_cast<id_t>(pid), &info, flags);
  return failed != 0 || info.si_pid == pid;
}

Exit exit_of(const siginfo_t& info) {
  Exit result;
  if (info.si_code == CLD_EXITED) {
    result.code = info.si_status;
  } else {
    result.signal = info.si_status;
    result.code = 128 + info.si_status;
  }
  return result;
}

// Reads the child's output until it exits; stops it if the caller is cancelled.
Task<void> wait_for_end(TaskGroup* readers, std::string name, std::shared_ptr<Child> child,
                        Tail* out, Tail* err, bool* cancelled) {
  readers->spawn("output of " + name, collect(&child->out, out));
  readers->spawn("errors of " + name, collect(&child->err, err));
  siginfo_t info{};
  while (!has_ended(child->pid, false, info)) {
    error_code ec;
    co_await child->ended.async_wait(asio::posix::stream_descriptor::wait_read,
                                     asio::redirect_error(asio::use_awaitable, ec));
    if (ec && !child->stopping) {
      *cancelled = true;
      stop(child);
    }
  }
  if (!child->stopping) {
    child->timer.expires_after(drain_grace);
    child->timer.async_wait([child](const error_code& ec) {
      if (ec) return;
      error_code ignored;
      child->out.close(ignored);
      child->err.close(ignored);
    });
  }
  co_await readers->idle();
}

// Runs with exceptions on cancellation disabled, because the child must be killed and reaped first.
Task<Result<Exit>> run_to_end(Command command) {
  const auto executor = co_await asio::this_coro::executor;
  auto child = std::make_shared<Child>(executor);
  if (auto started = start(command, *child); !started) co_return started.error();

  const auto begun = SteadyClock::now();
  Tail out(command.output_limit);
  Tail err(command.error_limit);
  child->timer.expires_after(command.timeout);
  child->timer.async_wait([child](const error_code& ec) {
    if (ec || child->stopping) return;
    child->timed_out = true;
    stop(child);
  });

  bool cancelled = false;
  const std::function<Task<void>(TaskGroup&)> body = [&](TaskGroup& readers) {
    return wait_for_end(&readers, command.argv.front(), child, &out, &err, &cancelled);
  };
  auto whole = with_task_group(body);
  co_await std::move(whole);
  child->timer.cancel();
  // Kills the rest of a stopped group while the unreaped child still reserves its id.
  if (child->stopping) child->signal_group(SIGKILL);
  siginfo_t info{};
  has_ended(child->pid, true, info);

  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - begun);
  Exit result = exit_of(info);
  spdlog::debug("ran {} in {}: exit {}", join(command.argv, " "), human_duration(took),
                result.code);
  if (child->timed_out) {
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(command.timeout);
    co_return Error{Errc::timed_out,
                    fmt::format("{} did not finish within {} and was stopped", command.argv.front(),
                                human_duration(limit)),
                    {}};
  }
  if (cancelled) co_return Error{Errc::cancelled, command.argv.front() + " was stopped", {}};
  result.out = out.take();
  result.err = err.take();
  result.out_truncated = out.truncated();
  co_return result;
}

}  // namespace

int end_orphans(const std::string& owner) {
  owner_mark() = "TRIMTAB_CHILD_OF=" + owner;
  return kill_by_environment(owner_mark());
}

std::string Exit::error_tail() const {
  constexpr std::size_t lines = 5;
  const std::string_view words = trim(err).empty() ? trim(out) : trim(err);
  return printable(last_lines(words, lines));
}

Task<Result<Exit>> run(Command command) {
  if (command.argv.empty()) co_return Error{Errc::invalid, "no program to run", {}};
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    co_return Error{Errc::cancelled, command.argv.front() + " was not started", {}};
  }
  // The setting also applies to all callers, which the next suspension must end, so it is restored.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  auto result = co_await run_to_end(std::move(command));
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return result;
}

std::string find_program(std::string_view name, std::string_view path) {
  for (const std::string& directory : split(path, ':')) {
    if (directory.empty()) continue;
    const std::filesystem::path candidate = std::filesystem::path(directory) / name;
    std::error_code ec;
    if (std::filesystem::is_regular_file(candidate, ec) && ::access(candidate.c_str(), X_OK) == 0) {
      return candidate.string();
    }
  }
  return {};
}

std::map<std::string, std::string> minimal_environment() {
  const char* const path = std::getenv("PATH");
  return {{"PATH",
           path != nullptr ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
          {"LC_ALL", "C"}};
}

}  // namespace trimtab
