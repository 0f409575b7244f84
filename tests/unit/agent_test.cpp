// The daemon as a whole, as far as it needs no Engine: how it ends.
#include "agent/run_agent.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "tests/lib/fake_systemd.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

using test::FakeSystemd;

// Longer than a daemon with nothing to finish ever takes to end.
constexpr unsigned seconds_until_killed = 60;

AgentOptions options_in(const test::TemporaryFolder& folder) {
  std::filesystem::create_directories(folder / "etc/stacks.d");
  std::ofstream(folder / "etc/trimtab.yaml") << "docker: {socket: " << folder / "docker.sock"
                                             << "}\n";
  std::ofstream(folder / "etc/stacks.d/shop.yaml") << "directory: " << folder / "shop"
                                                   << "\ngit: {url: " << folder / "shop.git"
                                                   << "}\n";
  AgentOptions options;
  options.config_dir = folder / "etc";
  options.state_dir = folder / "state";
  options.socket = folder / "trimtab.sock";
  options.systemd = SystemdOptions{folder / "bus", std::chrono::hours(1), std::chrono::hours(1)};
  return options;
}

// Runs the daemon, which is told to end once `moment` returns, and exits with its exit code.
[[noreturn]] void run_and_stop(const std::function<void(FakeSystemd&)>& moment) {
  ::alarm(seconds_until_killed);
  int code = 0;
  {
    const test::TemporaryFolder folder;
    const AgentOptions options = options_in(folder);
    FakeSystemd systemd(options.systemd->bus);
    std::thread operator_of_host([&] {
      moment(systemd);
      ::kill(::getpid(), SIGTERM);
    });
    code = run_agent(options);
    operator_of_host.join();
  }
  std::exit(code);
}

// Matches a log in which nothing that ended because of the stop is told as a problem.
struct EndsQuietly {
  using is_gtest_matcher = void;
  bool MatchAndExplain(const std::string& log, std::ostream*) const {
    const std::size_t stop = log.find("info stopping");
    return stop != std::string::npos && log.find("cancelled", stop) == std::string::npos &&
           log.find("was stopped", stop) == std::string::npos;
  }
  void DescribeTo(std::ostream* os) const { *os << "a stop that is told as no problem"; }
  void DescribeNegationTo(std::ostream* os) const { *os << "a stop that is told as a problem"; }
};

class AgentDeathTest : public ::testing::Test {
 protected:
  // The daemon is a process of its own.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(AgentDeathTest, EndsWhileItFollowsUnits) {
  const auto answered = [](FakeSystemd& systemd) { systemd.wait_for_call("GetAll"); };
  EXPECT_EXIT(run_and_stop(answered), ::testing::ExitedWithCode(0), EndsQuietly{});
}

TEST_F(AgentDeathTest, EndsWhileSystemdOwesItAnAnswer) {
  const auto asked = [](FakeSystemd& systemd) {
    systemd.keep_silent("GetAll");
    systemd.wait_for_call("GetAll");
  };
  EXPECT_EXIT(run_and_stop(asked), ::testing::ExitedWithCode(0), EndsQuietly{});
}

TEST_F(AgentDeathTest, EndsWhenTheBusIsGoneWithAnAnswerOwed) {
  const auto gone = [](FakeSystemd& systemd) {
    systemd.keep_silent("GetAll");
    systemd.wait_for_call("GetAll");
    systemd.shut_down();
  };
  EXPECT_EXIT(run_and_stop(gone), ::testing::ExitedWithCode(0), EndsQuietly{});
}

}  // namespace
}  // namespace trimtab
