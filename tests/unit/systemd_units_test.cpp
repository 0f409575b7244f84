// systemd over the bus, which neither may keep the loop waiting.
#include "agent/units/systemd_units.hpp"

#include <gtest/gtest.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <optional>

#include "tests/lib/fake_systemd.hpp"
#include "tests/lib/loop.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

using namespace std::chrono_literals;
using test::FakeSystemd;

Task<void> store(Task<Result<void>> task, std::optional<Result<void>>* into) {
  *into = co_await std::move(task);
}

class SystemdUnitsTest : public ::testing::Test {
 protected:
  std::string socket() { return folder_.path() / "bus"; }
  SystemdOptions options(std::chrono::milliseconds timeout = 30s) {
    return {socket(), timeout, timeout};
  }

  // Lets the loop run until then.
  void run_until(const std::function<bool()>& then) {
    const auto give_up = SteadyClock::now() + 60s;
    while (!then()) {
      if (SteadyClock::now() > give_up) throw std::runtime_error("it did not come in a minute");
      if (loop_.stopped()) loop_.restart();
      loop_.run_one_for(10ms);
    }
  }

  template <class T>
  void begin(Task<T> task, std::optional<T>* into) {
    asio::co_spawn(loop_, std::move(task), [into](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      into->emplace(std::move(value));
    });
  }

  template <class T>
  T ask(Task<T> task) {
    std::optional<T> answer;
    begin(std::move(task), &answer);
    run_until([&] { return answer.has_value(); });
    return std::move(*answer);
  }

  test::TemporaryFolder folder_;
  asio::io_context loop_;
};

TEST_F(SystemdUnitsTest, TellsTheStateOfAUnit) {
  FakeSystemd systemd(socket());
  systemd.set_active("shop.service", "active");
  SystemdUnits units(loop_.get_executor(), options());
  const Result<UnitState> state = ask(units.state("shop.service"));
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(state->load, "loaded");
  EXPECT_EQ(state->active, "active");
  EXPECT_TRUE(state->has_job);
  EXPECT_EQ(state->active_since, WallTime(1'700'000'000s));
  const Result<UnitState> none = ask(units.state("no.service"));
  ASSERT_TRUE(none) << none.error().text();
  EXPECT_EQ(none->load, "not-found");
}

TEST_F(SystemdUnitsTest, TellsWhatSystemdRefuses) {
  FakeSystemd systemd(socket());
  SystemdUnits units(loop_.get_executor(), options());
  EXPECT_TRUE(ask(units.enable("shop.service")));
  EXPECT_TRUE(ask(units.start("shop.service")));
  EXPECT_TRUE(ask(units.reload()));
  const Result<void> refused = ask(units.disable("shop.service"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "systemd cannot disable shop.service: there is none");
}

TEST_F(SystemdUnitsTest, TellsEachChangeOfAWatchedUnit) {
  FakeSystemd systemd(socket());
  systemd.set_active("docker.service", "active");
  SystemdUnits units(loop_.get_executor(), options());
  std::vector<std::string> told;
  units.watch("docker.service", [&](const std::string& active) { told.push_back(active); });
  ASSERT_TRUE(ask(units.state("docker.service")));
  systemd.set_active("docker.service", "deactivating");
  systemd.set_active("other.service", "failed");
  systemd.set_active("docker.service", "inactive");
  run_until([&] { return told.size() == 2; });
  EXPECT_EQ(told, (std::vector<std::string>{"deactivating", "inactive"}));
  units.unwatch("docker.service");
  systemd.set_active("docker.service", "active");
  ASSERT_TRUE(ask(units.state("docker.service")));
  EXPECT_EQ(told.size(), 2U);
}

TEST_F(SystemdUnitsTest, AWatcherMayEndItsWatchInTheMiddleOfASignal) {
  FakeSystemd systemd(socket());
  SystemdUnits units(loop_.get_executor(), options());
  int told = 0;
  units.watch("docker.service", [&](const std::string&) {
    ++told;
    units.unwatch("docker.service");
  });
  ASSERT_TRUE(ask(units.state("docker.service")));
  systemd.set_active("docker.service", "failed");
  systemd.set_active("docker.service", "inactive");
  run_until([&] { return told > 0; });
  ASSERT_TRUE(ask(units.state("docker.service")));
  EXPECT_EQ(told, 1);
}

TEST_F(SystemdUnitsTest, AsksAgainOnANewConnectionWhenTheBusWasRestarted) {
  FakeSystemd systemd(socket());
  SystemdUnits units(loop_.get_executor(), options());
  std::vector<std::string> told;
  units.watch("docker.service", [&](const std::string& active) { told.push_back(active); });
  ASSERT_TRUE(ask(units.state("docker.service")));
  systemd.restart();
  run_until([&] { return told.size() == 1; });
  EXPECT_EQ(told.back(), "");
  ASSERT_TRUE(ask(units.state("docker.service")));
  // What changed before signals came again.
  EXPECT_EQ(told, (std::vector<std::string>{"", ""}));
  systemd.set_active("docker.service", "active");
  run_until([&] { return told.size() == 3; });
  EXPECT_EQ(told.back(), "active");
}

TEST_F(SystemdUnitsTest, AsksAgainWhenTheBusIsRestartedBeforeItsAnswer) {
  FakeSystemd systemd(socket());
  SystemdUnits units(loop_.get_executor(), options());
  ASSERT_TRUE(ask(units.start("shop.service")));
  systemd.keep_silent("Reload");
  std::optional<Result<void>> reloaded;
  begin(units.reload(), &reloaded);
  run_until([&] { return systemd.calls("Reload") == 1; });
  systemd.restart();
  run_until([&] { return reloaded.has_value(); });
  EXPECT_TRUE(*reloaded) << reloaded->error().text();
  EXPECT_EQ(systemd.calls("Reload"), 2);
}

TEST_F(SystemdUnitsTest, ASystemdThatHangsIsAnErrorInTime) {
  FakeSystemd systemd(socket());
  systemd.keep_silent("LoadUnit");
  SystemdUnits units(loop_.get_executor(), options(50ms));
  const Result<UnitState> state = ask(units.state("shop.service"));
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Errc::timed_out);
  EXPECT_EQ(state.error().message, "systemd cannot tell of shop.service: no answer in 50 ms");
}

// It takes connections, and never says a word.
TEST_F(SystemdUnitsTest, ABusThatHangsIsAnErrorInTimeAndTheLoopGoesOn) {
  asio::local::stream_protocol::acceptor bus(loop_, {socket()});
  SystemdUnits units(loop_.get_executor(), options(50ms));
  std::optional<Result<UnitState>> state;
  begin(units.state("shop.service"), &state);
  run_until([&] { return loop_.poll_one() == 0; });
  EXPECT_FALSE(state);
  run_until([&] { return state.has_value(); });
  ASSERT_FALSE(*state);
  EXPECT_EQ(state->error().code, Errc::timed_out);
}

TEST_F(SystemdUnitsTest, AHostWithoutABusIsAnError) {
  SystemdUnits units(loop_.get_executor(), options());
  const Result<UnitState> state = ask(units.state("shop.service"));
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Errc::unavailable);
  EXPECT_EQ(state.error().message, "systemd cannot tell of shop.service: the bus at " + socket() +
                                       ": No such file or directory");
}

TEST_F(SystemdUnitsTest, OneWhoStopsAskingWaitsForNoAnswer) {
  FakeSystemd systemd(socket());
  systemd.keep_silent("Reload");
  auto units = std::make_unique<SystemdUnits>(loop_.get_executor(), options());
  std::optional<Result<void>> reloaded;
  TaskGroup group(loop_.get_executor());
  group.spawn("reload", store(units->reload(), &reloaded));
  run_until([&] { return systemd.calls("Reload") == 1; });
  group.cancel();
  run_until([&] { return group.size() == 0; });
  EXPECT_EQ(reloaded->error().code, Errc::cancelled);
  units.reset();
  test::run_loop(loop_);
}

}  // namespace
}  // namespace trimtab
