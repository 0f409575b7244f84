#include "common/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "common/files.hpp"
#include "common/text.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

using namespace std::chrono_literals;
using test::await;
using test::TemporaryFolder;

Command command(std::vector<std::string> argv) {
  Command made;
  made.argv = std::move(argv);
  made.environment = minimal_environment();
  made.timeout = 30s;
  return made;
}

Command script(const std::string& text) {
  return command({"sh", "-c", text});
}

bool alive(const std::string& pid) {
  return ::kill(static_cast<pid_t>(std::stol(pid)), 0) == 0;
}

// Waits, within a deadline, for what another process does.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = SteadyClock::now() + 30s;
  while (!condition()) {
    if (SteadyClock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

TEST(Process, GivesOutputAndExitCode) {
  const auto exit = await(run(script("echo out; echo err >&2; exit 3")));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(exit->signal, 0);
  EXPECT_EQ(exit->out, "out\n");
  EXPECT_EQ(exit->err, "err\n");
  EXPECT_FALSE(exit->ok());
  EXPECT_EQ(exit->error_tail(), "err");
}

TEST(Process, SaysWhichSignalEndedIt) {
  const auto exit = await(run(script("kill -9 $$")));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->signal, 9);
  EXPECT_EQ(exit->code, 137);
}

TEST(Process, PassesArgumentsWithoutAShell) {
  const auto exit = await(run(command({"printf", "%s|", "a b", "$HOME", ";rm", "", "\"'"})));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->out, "a b|$HOME|;rm||\"'|");
}

TEST(Process, GivesTheChildThisEnvironmentAlone) {
  ::setenv("TRIMTAB_TEST_LEAK", "secret", 1);
  auto env = command({"env"});
  env.environment["NAME"] = "value";
  const auto exit = await(run(env));
  ::unsetenv("TRIMTAB_TEST_LEAK");
  ASSERT_TRUE(exit);
  auto lines = split(trim(exit->out), '\n');
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{"LC_ALL=C", "NAME=value",
                                             "PATH=" + minimal_environment()["PATH"]}));
}

TEST(Process, GivesTheInputThenItsEnd) {
  auto wc = command({"wc", "-c"});
  wc.input = std::string(300'000, 'x');
  EXPECT_EQ(trim(await(run(wc))->out), "300000");
  EXPECT_EQ(await(run(command({"cat"})))->out, "");  // /dev/null
}

TEST(Process, RunsInTheFolder) {
  const TemporaryFolder folder;
  auto pwd = command({"pwd", "-P"});
  pwd.directory = folder.path();
  EXPECT_EQ(trim(await(run(pwd))->out), std::filesystem::canonical(folder.path()).string());
  pwd.directory = folder / "absent";
  const auto absent = await(run(pwd));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Errc::not_found);
  EXPECT_NE(absent.error().message.find("no such directory"), std::string::npos);
}

TEST(Process, SaysThatAProgramIsNotInstalled) {
  const auto exit = await(run(command({"no-such-program"})));
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().code, Errc::not_found);
  EXPECT_EQ(exit.error().message, "no-such-program is not installed");
  EXPECT_EQ(await(run(Command{})).error().code, Errc::invalid);
}

TEST(Process, KeepsTheEndOfLongOutput) {
  auto seq = command({"seq", "1", "200000"});
  seq.output_limit = 14;
  const auto exit = await(run(seq));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->out, "199999\n200000\n");
  EXPECT_TRUE(exit->out_truncated);
  EXPECT_FALSE(await(run(command({"true"})))->out_truncated);
}

TEST(Process, KeepsLessOfStandardErrorWhereThatIsEnough) {
  auto seq = command({"sh", "-c", "seq 1 200000; seq 1 200000 >&2"});
  seq.output_limit = 21;
  seq.error_limit = 7;
  const auto exit = await(run(seq));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->out, "199998\n199999\n200000\n");
  EXPECT_EQ(exit->err, "200000\n");
}

TEST(Process, GivesTheChildNoDescriptorOfOurs) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));  // not close-on-exec
  const UniqueFd far(::fcntl(socket.get(), F_DUPFD, 200));
  const auto exit = await(run(command({"ls", "-l", "/proc/self/fd"})));
  ASSERT_TRUE(exit);
  EXPECT_NE(exit->out.find(" 2 -> pipe:"), std::string::npos) << exit->out;
  EXPECT_EQ(exit->out.find("socket:"), std::string::npos) << exit->out;
}

TEST(Process, ResetsIgnoredAndBlockedSignals) {
  auto* const old = ::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto pipe = await(run(script("kill -PIPE $$; echo ignored")));
  const auto term = await(run(script("kill -TERM $$; echo blocked")));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, old);
  ASSERT_TRUE(pipe && term);
  EXPECT_EQ(pipe->signal, SIGPIPE);
  EXPECT_EQ(term->signal, SIGTERM);
}

TEST(Process, StopsTheWholeGroupAtTheDeadline) {
  const TemporaryFolder folder;
  auto late = script("sleep 300 & echo $! > child; wait");
  late.directory = folder.path();
  late.timeout = 3s;  // enough for sh to write the file
  const auto exit = await(run(late));
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().code, Errc::timed_out);
  EXPECT_EQ(exit.error().message, "sh did not finish within 3 s and was stopped");
  const std::string child(trim(read_file(folder / "child").value()));
  EXPECT_TRUE(eventually([&] { return !alive(child); }));
}

TEST(Process, KillsWhatIgnoresTheRequestToEnd) {
  const auto begun = SteadyClock::now();
  auto stubborn = script("trap '' TERM; echo ready; while :; do sleep 0.1; done");
  stubborn.timeout = 200ms;
  const auto exit = await(run(stubborn));
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().code, Errc::timed_out);
  EXPECT_LT(SteadyClock::now() - begun, 30s);
}

TEST(Process, DoesNotWaitForAGrandchildThatHoldsThePipe) {
  const TemporaryFolder folder;
  auto daemon = script("setsid sleep 300 & echo $! > child; echo done");
  daemon.directory = folder.path();
  const auto begun = SteadyClock::now();
  const auto exit = await(run(daemon));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->out, "done\n");
  EXPECT_LT(SteadyClock::now() - begun, 30s);
  ::kill(static_cast<pid_t>(std::stol(read_file(folder / "child").value())), SIGKILL);
}

Task<void> run_and_note(Command late, Result<Exit>* into, bool* reached_next_wait) {
  *into = co_await run(std::move(late));
  // A cancelled caller ends at its next suspension, as if run() had not been in between.
  co_await sleep_for(1ms);
  *reached_next_wait = true;
}

TEST(Process, EndsTheChildWhenCancelled) {
  const TemporaryFolder folder;
  auto late = script("echo $$ > pid; mv pid ready; exec sleep 300");
  late.directory = folder.path();

  asio::io_context loop;
  TaskGroup group(loop.get_executor());
  Result<Exit> result = Error{};
  bool reached_next_wait = false;
  group.spawn("test", run_and_note(late, &result, &reached_next_wait));
  ASSERT_TRUE(eventually([&] {
    loop.poll();
    return std::filesystem::exists(folder / "ready");
  }));
  group.cancel();
  test::run_loop(loop);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::cancelled);
  EXPECT_FALSE(reached_next_wait);
  EXPECT_FALSE(alive(std::string(trim(read_file(folder / "ready").value()))));
}

Task<Result<Exit>> bounded(Command late, SteadyClock::time_point deadline) {
  auto child = run(std::move(late));
  co_return co_await with_deadline(deadline, "the child", std::move(child));
}

TEST(Process, EndsTheChildWhenADeadlineAroundItPasses) {
  const auto result = await(bounded(command({"sleep", "300"}), SteadyClock::now() + 100ms));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::timed_out);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // no child is left, not even a dead one
}

Task<void> count_ok(int* ok) {
  auto child = command({"true"});
  const auto exit = co_await run(std::move(child));
  if (exit && exit->ok()) ++*ok;
}

TEST(Process, RunsManyAtOnceAndLeaksNoDescriptor) {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = open_files();
  {
    asio::io_context loop;
    TaskGroup group(loop.get_executor());
    int ok = 0;
    for (int i = 0; i < 40; ++i) group.spawn("child", count_ok(&ok));
    test::run_loop(loop);
    EXPECT_EQ(ok, 40);
  }
  EXPECT_EQ(open_files(), before);
}

TEST(Process, FindsProgramsInAPath) {
  EXPECT_EQ(find_program("sh", "/nonexistent::/bin"), "/bin/sh");
  EXPECT_EQ(find_program("sh", ""), "");
  EXPECT_EQ(find_program("passwd", "/etc"), "");  // not executable
}

// The mark is for the whole life of a process, hence one of its own.
TEST(ProcessDeathTest, OrphansOfTheSameOwnerAreEnded) {
  const TemporaryFolder folder;
  const std::string owner = folder.path().string();
  EXPECT_EXIT(
      {
        const bool none = end_orphans(owner) == 0;
        const auto exit = await(run(script("sleep 1000 & sleep 1000 &")));
        const bool others_live = end_orphans(owner + "/other") == 0;
        const bool ended = end_orphans(owner) == 2;
        std::_Exit(none && exit && others_live && ended && end_orphans(owner) == 0 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace trimtab
