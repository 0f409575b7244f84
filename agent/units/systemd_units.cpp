#include "agent/units/systemd_units.hpp"

#include <sdbus-c++/sdbus-c++.h>
#include <systemd/sd-daemon.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <thread>

#include "common/log.hpp"
#include "common/text.hpp"

namespace trimtab {
namespace {

#if SDBUSCPP_MAJOR >= 2
const sdbus::ServiceName systemd_name{"org.freedesktop.systemd1"};
#else
constexpr const char* systemd_name = "org.freedesktop.systemd1";
#endif
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";

constexpr auto default_timeout = std::chrono::seconds(10);
constexpr auto reload_timeout = std::chrono::seconds(90);

using Properties = std::map<std::string, sdbus::Variant>;

std::string text_of(const Properties& properties, const char* name) {
  const auto found = properties.find(name);
  return found == properties.end() ? std::string() : found->second.get<std::string>();
}

std::uint64_t moment_of(const Properties& properties, const char* name) {
  const auto found = properties.find(name);
  return found == properties.end() ? 0 : found->second.get<std::uint64_t>();
}

// A connection that broke, not a call that systemd refused or did not answer in time.
bool is_stale(const sdbus::Error& error) {
  const std::string name = error.getName();
  return name.starts_with("System.Error.") && name != "System.Error.ETIMEDOUT";
}

}  // namespace

// The connection that questions are asked on; used by the call thread alone.
struct SystemdUnits::Calls {
  std::unique_ptr<sdbus::IConnection> connection;

  std::unique_ptr<sdbus::IProxy> object(const std::string& path) {
    if (!connection) connection = sdbus::createSystemBusConnection();
    return sdbus::createProxy(*connection, systemd_name, sdbus::ObjectPath{path});
  }

  // The bus may have been restarted since the call before: that is no answer, and asked is anew.
  template <class F>
  auto guarded(const std::string& what, F ask) -> decltype(ask()) {
    for (;;) {
      const bool is_used = connection != nullptr;
      try {
        return ask();
      } catch (const sdbus::Error& error) {
        connection.reset();
        if (is_used && is_stale(error)) continue;
        return Error{
            Errc::unavailable, "systemd cannot " + what + ": " + printable(error.getMessage()), {}};
      }
    }
  }
};

// The connection that signals come on, and the thread that waits for them.
struct SystemdUnits::Signals {
  std::unique_ptr<sdbus::IConnection> connection;
  std::vector<std::unique_ptr<sdbus::IProxy>> proxies;
  std::thread thread;
  std::atomic<bool> alive{false};

  ~Signals() {
    if (alive) connection->leaveEventLoop();
    if (thread.joinable()) thread.join();
  }
};

bool SystemdUnits::manages_this_host() {
  return ::sd_booted() > 0;
}

SystemdUnits::SystemdUnits(asio::any_io_executor loop)
    : loop_(std::move(loop)), calls_(std::make_unique<Calls>()) {}

SystemdUnits::~SystemdUnits() {
  call_thread_.join();
}

// The answer comes by way of the loop. One who waits no longer is not told; the call goes on to its
// end on its thread, which the destructor waits for.
template <class T>
Task<Result<T>> SystemdUnits::on_call_thread(std::function<Result<T>()> call) {
  struct Pending {
    explicit Pending(const asio::any_io_executor& loop) : answered(loop) {}
    WakeEvent answered;
    Result<T> answer = Error{Errc::cancelled, "systemd was asked, and then the daemon stopped", {}};
  };
  auto pending = std::make_shared<Pending>(loop_);
  asio::post(call_thread_, [loop = loop_, pending, call = std::move(call)]() mutable {
    asio::post(loop, [pending = std::move(pending), answer = call()]() mutable {
      pending->answer = std::move(answer);
      pending->answered.notify();
    });
  });
  co_await pending->answered.wait();
  co_return std::move(pending->answer);
}

Task<Result<UnitState>> SystemdUnits::state(std::string unit) {
  co_await follow_signals();
  std::function<Result<UnitState>()> ask = [this, unit]() -> Result<UnitState> {
    return calls_->guarded("tell of " + unit, [&]() -> Result<UnitState> {
      sdbus::ObjectPath path;
      calls_->object(manager_path)
          ->callMethod("LoadUnit")
          .onInterface(manager_interface)
          .withTimeout(default_timeout)
          .withArguments(unit)
          .storeResultsTo(path);
      Properties properties;
      calls_->object(path)
          ->callMethod("GetAll")
          .onInterface(properties_interface)
          .withTimeout(default_timeout)
          .withArguments(std::string(unit_interface))
          .storeResultsTo(properties);
      UnitState state;
      state.load = text_of(properties, "LoadState");
      state.active = text_of(properties, "ActiveState");
      state.file = text_of(properties, "FragmentPath");
      state.enabled = text_of(properties, "UnitFileState");
      state.active_since = WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::microseconds(moment_of(properties, "ActiveEnterTimestamp"))));
      // A failed start never was active; a failed stop was, after its last start had begun.
      state.failed_to_stop = moment_of(properties, "ActiveExitTimestampMonotonic") >
                             moment_of(properties, "InactiveExitTimestampMonotonic");
      const auto job = properties.find("Job");
      if (job != properties.end()) {
        using Job = sdbus::Struct<std::uint32_t, sdbus::ObjectPath>;
        state.has_job = std::get<0>(job->second.get<Job>()) != 0;
      }
      return state;
    });
  };
  co_return co_await on_call_thread(std::move(ask));
}

Task<Result<void>> SystemdUnits::reload() {
  std::function<Result<void>()> ask = [this]() -> Result<void> {
    return calls_->guarded("read its unit files again", [&]() -> Result<void> {
      calls_->object(manager_path)
          ->callMethod("Reload")
          .onInterface(manager_interface)
          .withTimeout(reload_timeout);
      return {};
    });
  };
  co_return co_await on_call_thread(std::move(ask));
}

Task<Result<void>> SystemdUnits::enable(std::string unit) {
  std::function<Result<void>()> ask = [this, unit]() -> Result<void> {
    return calls_->guarded("enable " + unit, [&]() -> Result<void> {
      bool carries_install_info = false;
      std::vector<sdbus::Struct<std::string, std::string, std::string>> changes;
      calls_->object(manager_path)
          ->callMethod("EnableUnitFiles")
          .onInterface(manager_interface)
          .withTimeout(reload_timeout)
          .withArguments(std::vector<std::string>{unit}, false, false)
          .storeResultsTo(carries_install_info, changes);
      return {};
    });
  };
  co_return co_await on_call_thread(std::move(ask));
}

Task<Result<void>> SystemdUnits::disable(std::string unit) {
  std::function<Result<void>()> ask = [this, unit]() -> Result<void> {
    return calls_->guarded("disable " + unit, [&]() -> Result<void> {
      std::vector<sdbus::Struct<std::string, std::string, std::string>> changes;
      calls_->object(manager_path)
          ->callMethod("DisableUnitFiles")
          .onInterface(manager_interface)
          .withTimeout(reload_timeout)
          .withArguments(std::vector<std::string>{unit}, false)
          .storeResultsTo(changes);
      return {};
    });
  };
  co_return co_await on_call_thread(std::move(ask));
}

Task<Result<void>> SystemdUnits::start(std::string unit) {
  std::function<Result<void>()> ask = [this, unit]() -> Result<void> {
    return calls_->guarded("start " + unit, [&]() -> Result<void> {
      sdbus::ObjectPath job;
      calls_->object(manager_path)
          ->callMethod("StartUnit")
          .onInterface(manager_interface)
          .withTimeout(default_timeout)
          .withArguments(unit, std::string("replace"))
          .storeResultsTo(job);
      return {};
    });
  };
  co_return co_await on_call_thread(std::move(ask));
}

void SystemdUnits::watch(std::string unit, std::function<void(std::string active)> changed) {
  watched_[std::move(unit)] = std::move(changed);
  signals_wanted_ = true;
}

void SystemdUnits::publish(const std::string& unit, const std::string& active) {
  const auto found = watched_.find(unit);
  if (found != watched_.end()) found->second(active);
}

// Signals are a help and no need: without them a change is seen at the next look.
Task<void> SystemdUnits::follow_signals() {
  const bool lost = signals_ && !signals_->alive;
  if (!signals_wanted_ && !lost) co_return;
  signals_wanted_ = false;
  std::vector<std::string> units;
  for (const auto& [unit, changed] : watched_) units.push_back(unit);
  std::function<Result<std::shared_ptr<Signals>>()> connect =
      [this, units]() -> Result<std::shared_ptr<Signals>> { return connect_signals(units); };
  const auto connected = co_await on_call_thread(std::move(connect));
  signals_ = connected ? *connected : nullptr;
  if (!signals_) signals_wanted_ = true;
  if (!lost) co_return;
  for (const std::string& unit : units) publish(unit, "");
}

std::shared_ptr<SystemdUnits::Signals> SystemdUnits::connect_signals(
    const std::vector<std::string>& units) {
  auto signals = std::make_shared<Signals>();
  try {
    signals->connection = sdbus::createSystemBusConnection();
    auto manager =
        sdbus::createProxy(*signals->connection, systemd_name, sdbus::ObjectPath{manager_path});
    manager->callMethod("Subscribe").onInterface(manager_interface).withTimeout(default_timeout);
    for (const std::string& unit : units) {
      sdbus::ObjectPath path;
      manager->callMethod("LoadUnit")
          .onInterface(manager_interface)
          .withTimeout(default_timeout)
          .withArguments(unit)
          .storeResultsTo(path);
      auto proxy = sdbus::createProxy(*signals->connection, systemd_name, path);
      proxy->uponSignal("PropertiesChanged")
          .onInterface(properties_interface)
          .call([this, unit](const std::string& interface, const Properties& properties,
                             const std::vector<std::string>&) {
            const std::string active = text_of(properties, "ActiveState");
            if (interface != unit_interface || active.empty()) return;
            asio::post(loop_, [this, unit, active] { publish(unit, active); });
          });
#if SDBUSCPP_MAJOR < 2
      proxy->finishRegistration();
#endif
      signals->proxies.push_back(std::move(proxy));
    }
  } catch (const sdbus::Error& error) {
    spdlog::debug("no signals of systemd: {}", printable(error.getMessage()));
    return nullptr;
  }
  signals->alive = true;
  Signals* const waiting = signals.get();
  signals->thread = std::thread([waiting] {
    try {
      waiting->connection->enterEventLoop();
    } catch (const sdbus::Error&) {
      // The bus is gone; the next look at a unit connects anew.
    }
    waiting->alive = false;
  });
  return signals;
}

}  // namespace trimtab
